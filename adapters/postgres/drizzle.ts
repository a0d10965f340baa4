import { createRequire } from "node:module";

/**
 * All of drizzle that the store uses, as CommonJS: for each of its ES modules Node reads the package's description anew,
 * whose list of 180 kB names every file. That was a third of a node's start.
 */
const require = createRequire(import.meta.url);

export const {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  notExists,
  or,
  sql,
} = require("drizzle-orm") as typeof import("drizzle-orm");
export const {
  bigint,
  bigserial,
  boolean,
  customType,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} = require("drizzle-orm/pg-core") as typeof import("drizzle-orm/pg-core");
export const { drizzle } = require("drizzle-orm/pg-proxy") as typeof import("drizzle-orm/pg-proxy");
export const { DrizzleQueryError } = require("drizzle-orm/errors") as typeof import("drizzle-orm/errors");
export const { readMigrationFiles } = require("drizzle-orm/migrator") as typeof import("drizzle-orm/migrator");
