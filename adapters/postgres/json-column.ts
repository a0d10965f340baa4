import { customType } from "./drizzle.ts";

/**
 * A column of type `json`, not `jsonb`: the text is kept as it was given, so that every digit, the order of names,
 * `\u0000` and lone surrogates come back. (Parsed on its way in by database.ts.)
 */
export const json = customType<{ data: unknown; driverData: unknown }>({
  dataType: () => "json",
  toDriver: (value) => JSON.stringify(value),
});

/** For what users query. jsonb keeps the digits of numbers too, but refuses `\u0000` and lone surrogates. */
export const jsonb = customType<{ data: unknown; driverData: unknown }>({
  dataType: () => "jsonb",
  toDriver: (value) => JSON.stringify(value),
});

export const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });
