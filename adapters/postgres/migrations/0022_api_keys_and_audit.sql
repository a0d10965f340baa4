CREATE TABLE "sluice"."api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"hash" "bytea" NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"role" text NOT NULL,
	"scopes" text[],
	"owner" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" text,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "sluice"."audit_log" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"owner" text,
	"request_id" text,
	"action" text NOT NULL,
	"resource_id" uuid,
	"resource_name" text,
	"before" json,
	"after" json
);
--> statement-breakpoint
CREATE INDEX "audit_log_resource" ON "sluice"."audit_log" USING btree ("resource_id","id");