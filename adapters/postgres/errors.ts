import pg from "pg";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { ConflictError } from "../../runtime/ports/store.ts";
import { DrizzleQueryError } from "./drizzle.ts";

/** SQLSTATEs that say nothing about the statement: no connection, no resources, shut down, lost a deadlock, read-only. */
const away = /^(08|40|53|57P|58|25006)/;

/**
 * What a query's failure means: UNAVAILABLE (try again, the database is away), TIMEOUT (it took too long), or the error
 * as it is. What the database says of itself is in the cause, for the log: this may be shown to anybody.
 */
export function translate(error: unknown): unknown {
  const translated = translateAtStart(error);
  if (!(translated instanceof SluiceError) || translated === error) return translated;
  if (translated.code === "TIMEOUT") return translated;
  return new SluiceError("UNAVAILABLE", "the database is away", [], error);
}

/**
 * The same for whoever starts a node: what is away, and why, and UNAUTHORIZED where the user or password is refused.
 * Details, which quote rows, are left out of all (invariant 7).
 */
export function translateAtStart(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) {
    const ours = [SluiceError, ConflictError, TypeError, RangeError, SyntaxError].some((type) => error instanceof type);
    // Whatever else has no SQLSTATE comes from the connection: refused, reset, ended, no free one in time.
    return ours ? error : unavailable(error);
  }
  error.detail = undefined;
  error.where = undefined;
  error.internalQuery = undefined;
  if (error.code === "57014") return new SluiceError("TIMEOUT", "the database took too long", [], error);
  if (error.code?.startsWith("28")) {
    return new SluiceError("UNAUTHORIZED", `the database refuses the user: ${error.message}`, [], error);
  }
  // Its day is yet to be made, by `maintain`.
  if (error.code === "23514" && /no partition of relation/.test(error.message)) return unavailable(error);
  return away.test(error.code ?? "") ? unavailable(error) : error;
}

function unavailable(error: unknown): SluiceError {
  // An AggregateError (localhost is tried on IPv6 and IPv4) has no message of its own.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return new SluiceError("UNAVAILABLE", `the database is away: ${messageOf(first)}`, [], error);
}

/** The value is at fault (data exceptions, limits of size or depth), so that another row may well pass. */
export function isDataError(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && /^(22|23|54)/.test(error.code ?? "");
}

const conflicts: { readonly [constraint: string]: string } = {
  connectors_name: "a connector of this name exists already",
  plugins_name: "a plugin of this name exists already",
  plugins_type: "another plugin serves this version of the connector type already",
  integrations_name: "an integration of this name exists already",
};

/**
 * The same methods, with errors fit to leave the adapter: drizzle's own holds the parameters in its message, so only
 * its cause gets out (invariant 7), and a taken name is a ConflictError.
 */
export function guarded<S extends object>(store: S): S {
  const methods = Object.entries(store).map(([name, method]: [string, (...given: unknown[]) => Promise<unknown>]) => [
    name,
    (...given: unknown[]) =>
      method(...given).catch((error: unknown) => {
        const cause = error instanceof DrizzleQueryError ? error.cause : error;
        const conflict =
          cause instanceof pg.DatabaseError && cause.code === "23505" ? conflicts[cause.constraint ?? ""] : undefined;
        throw conflict === undefined ? cause : new ConflictError(conflict);
      }),
  ]);
  return Object.fromEntries(methods) as S;
}
