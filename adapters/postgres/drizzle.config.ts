import type { Config } from "drizzle-kit";

/** `drizzle-kit generate --config adapters/postgres/drizzle.config.ts --name WHAT`, from the project's root. */
export default {
  dialect: "postgresql",
  schema: "./adapters/postgres/schema.ts",
  out: "./adapters/postgres/migrations",
} satisfies Config;
