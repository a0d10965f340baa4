CREATE TABLE "sluice"."plugins" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"spec" json NOT NULL,
	"sealed" "bytea",
	"serves" json,
	"type" text,
	"type_version" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "plugins_name" UNIQUE("name"),
	CONSTRAINT "plugins_type" UNIQUE("type","type_version")
);
