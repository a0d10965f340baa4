import pg from "pg";
import { ConnectorError, type ErrorCode, type Fault } from "../sdk/index.ts";
import type { Address } from "./config.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly fault: Fault;
  /** Part of the config at fault; `stream` is the integration's. */
  readonly at?: "password" | "user" | "database" | "schema" | "stream";
}

/** What each SQLSTATE says about whose fault a failure is. The longest prefix counts. */
const meanings: { readonly [sqlState: string]: Meaning } = {
  "08": { code: "UNAVAILABLE", fault: "destination" },
  "53": { code: "UNAVAILABLE", fault: "destination" },
  "57P": { code: "UNAVAILABLE", fault: "destination" },
  "57014": { code: "TIMEOUT", fault: "transient" },
  // A standby after a failover refuses writes until the address points to the new primary.
  "25006": { code: "UNAVAILABLE", fault: "destination" },
  "58": { code: "UNAVAILABLE", fault: "destination" },
  "28P01": { code: "UNAUTHORIZED", fault: "destination", at: "password" },
  "28": { code: "UNAUTHORIZED", fault: "destination", at: "user" },
  "3D000": { code: "NOT_FOUND", fault: "destination", at: "database" },
  "3F": { code: "NOT_FOUND", fault: "destination", at: "schema" },
  "42501": { code: "FORBIDDEN", fault: "destination", at: "stream" },
  "42P01": { code: "NOT_FOUND", fault: "destination", at: "stream" },
  "42703": { code: "NOT_FOUND", fault: "destination", at: "stream" },
  "0A": { code: "VALIDATION_ERROR", fault: "destination", at: "stream" },
  "42": { code: "VALIDATION_ERROR", fault: "destination", at: "stream" },
  "21": { code: "VALIDATION_ERROR", fault: "record" },
  "22": { code: "VALIDATION_ERROR", fault: "record" },
  "23": { code: "VALIDATION_ERROR", fault: "record" },
  "23503": { code: "BUSINESS_RULE", fault: "record" },
  "23505": { code: "CONFLICT", fault: "record" },
  "23P01": { code: "CONFLICT", fault: "record" },
  "44": { code: "BUSINESS_RULE", fault: "record" },
  // Limits of one row, such as an index entry over a third of a page.
  "54": { code: "VALIDATION_ERROR", fault: "record" },
  // RAISE in a trigger.
  P0: { code: "BUSINESS_RULE", fault: "record" },
  XX: { code: "INTERNAL_ERROR", fault: "destination" },
  F0: { code: "INTERNAL_ERROR", fault: "destination" },
};

/** The meaning of what the server answered, or of a connection that broke: then nobody knows what it did. */
export function meaningOf(error: unknown): Meaning {
  if (!(error instanceof pg.DatabaseError)) return { code: "UNAVAILABLE", fault: "transient" };
  const state = error.code ?? "";
  return meanings[state] ?? meanings[state.slice(0, 3)] ?? meanings[state.slice(0, 2)] ?? unknown;
}
const unknown: Meaning = { code: "UNAVAILABLE", fault: "transient" };

/** Where the setting stands that a statement is made of. */
export type Setting = "source.stream" | "destination.stream" | "request.stream" | `config.queries.${string}`;

/** The error of a statement, as a connector throws it. */
export function statementError(error: unknown, setting: Setting): ConnectorError {
  if (error instanceof ConnectorError) return error;
  if (!(error instanceof pg.DatabaseError)) {
    const message = `The connection to Postgres broke: ${messageOf(error)}.`;
    return new ConnectorError("UNAVAILABLE", message, { fault: "transient", cause: error });
  }
  const { code, fault, at } = meaningOf(error);
  // What would be a record's fault in a destination is the setting's in a source: nothing can be read past it.
  const isSource = fault === "record" && setting !== "destination.stream" && setting !== "request.stream";
  const path = at === "stream" || isSource ? setting : at === undefined ? undefined : `config.${at}`;
  return new ConnectorError(code, `Postgres: ${withoutValues(error.message)} (SQLSTATE ${error.code}).`, {
    fault: isSource ? "destination" : fault,
    cause: error,
    ...(path === undefined ? {} : { path }),
  });
}

/** The error of a connection that could not be made: always the setting's or the server's fault. */
export function connectError(error: unknown, address: Address): ConnectorError {
  const where = `Postgres at ${address.host}:${address.port}`;
  const fail = (code: ErrorCode, message: string, path?: string) =>
    new ConnectorError(code, message, { fault: "destination", cause: error, ...(path === undefined ? {} : { path }) });
  if (error instanceof pg.DatabaseError) {
    const { code, at } = meaningOf(error);
    const path =
      at === "schema"
        ? "config.schema"
        : error.code === "28000" && /encryption|SSL/.test(error.message)
          ? address.pathOf("ssl")
          : at === undefined || at === "stream"
            ? undefined
            : address.pathOf(at);
    return fail(code, `${where} refused the connection: ${error.message} (SQLSTATE ${error.code}).`, path);
  }
  const reason = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  // The driver itself refuses to log in with an empty password.
  if (/password/i.test(messageOf(reason))) {
    return fail("UNAUTHORIZED", `${where} asks for a password, and none is set.`, address.pathOf("password"));
  }
  const tls = /SSL|TLS|certificate|self.signed/i.test(`${messageOf(reason)} ${codeOf(reason)}`);
  const path = address.pathOf(tls ? "ssl" : "host");
  return fail("UNAVAILABLE", `No connection to ${where}: ${messageOf(reason)}.`, path);
}

/** Postgres quotes the offending value in some messages; a message must not carry the record's data. */
export function withoutValues(message: string): string {
  return message
    .replace(/^(invalid [^:]*|malformed [^:]*): ".*"$/s, "$1")
    .replace(/^value ".*" is out of range/s, "value is out of range")
    .replace(
      /^(date\/time field value|time zone displacement|interval field value)(?: out of range)?: ".*"$/s,
      "$1 out of range",
    )
    .replace(/\s*\n\s*/g, " ");
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
