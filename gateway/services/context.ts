import { randomUUIDv7 } from "node:crypto";
import type { ConnectorType, Correlation, JsonObject } from "../../connectors/sdk/index.ts";
import { type ResolveReference, resolveIntegration } from "../../runtime/config/index.ts";
import { type FieldError, SluiceError } from "../../runtime/errors/index.ts";
import type { Cluster } from "../../runtime/ports/cluster.ts";
import type { ConnectorRegistry, Sealer, Validator } from "../../runtime/ports/connectors.ts";
import type { Live } from "../../runtime/ports/live.ts";
import type { Lookups } from "../../runtime/ports/lookups.ts";
import type { Nodes } from "../../runtime/ports/nodes.ts";
import type { Owners } from "../../runtime/ports/owners.ts";
import type { Plugins } from "../../runtime/ports/plugins.ts";
import type { RecordSearch } from "../../runtime/ports/records.ts";
import type { Sandbox } from "../../runtime/ports/sandbox.ts";
import {
  type ConnectorRow,
  type Page,
  type PageOptions,
  StaleVersionError,
  type Store,
} from "../../runtime/ports/store.ts";
import type { Tracing } from "../../runtime/ports/telemetry.ts";
import type { Runner } from "./ports.ts";

/** What the services work with. */
export interface ServiceContext {
  readonly store: Store;
  readonly registry: ConnectorRegistry;
  readonly plugins: Plugins;
  readonly runner: Runner;
  /** Whom to ask what only an integration's owner can do. */
  readonly owners: Pick<Owners, "ask" | "maxBytes">;
  /** By which nodes hear of each other. */
  readonly cluster: Pick<Cluster, "publish" | "subscribe">;
  readonly nodes: Nodes;
  /** How integrations do at this moment, on whichever node. */
  readonly live: Live;
  readonly validator: Validator;
  readonly sealer: Sealer;
  /** What previews run scripts in, and look things up with. */
  readonly sandbox: Sandbox;
  readonly lookups: Lookups;
  /** What a reference in a configuration stands for. */
  readonly resolveReference: ResolveReference;
  /** What is wrong with a cron expression, or undefined. */
  readonly checkCron: (cron: string) => string | undefined;
  /** Where records are in the logs. */
  readonly records: RecordSearch;
  /** Where a trace is shown, with `{trace_id}` in the place of its id; undefined: nowhere. */
  readonly traceUrl?: string | undefined;
  /** Left out: nothing is exported. */
  readonly tracing?: Tracing;
  /** Of the request that is served. */
  readonly correlation?: Correlation | undefined;
  /** Aborts when nobody waits for the answer any more. Undefined: that is not known. */
  readonly signal?: AbortSignal | undefined;
}

export const newId = (): string => randomUUIDv7();

/** Throws VALIDATION_ERROR with all errors, its message the first of them. */
export function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new SluiceError("VALIDATION_ERROR", sentenceOf(errors), errors);
}

const years = [Date.parse("0001-01-01T00:00:00Z"), Date.parse("9999-12-31T23:59:59.999Z")] as const;

/** RFC 3339 has leap seconds and a year 0, and with an offset a year 10000; no clock here has, and Postgres neither. */
export function timeAt(path: string, text: string): Date {
  const time = new Date(text);
  if (!(time.getTime() >= years[0] && time.getTime() <= years[1])) refuse([{ path, message: "is no time" }]);
  return time;
}

/** The first error and how many there are besides. */
export function sentenceOf(errors: readonly FieldError[]): string {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return `${first!.path === "" ? "the body" : first!.path}: ${first!.message}${more}`;
}

export function found<T>(row: T | null | undefined, kind: string, id: string): T {
  if (row === null || row === undefined) throw new SluiceError("NOT_FOUND", `there is no ${kind} with the id ${id}`);
  return row;
}

/** Rows of a list, or the one that has a name: the command line finds ids by names so. */
export async function listOrNamed<T, O extends PageOptions>(
  source: { list(options: O): Promise<Page<T>>; byName(name: string): Promise<T | null> },
  options: O & { readonly name: string | null },
): Promise<Page<T>> {
  if (options.name === null) return source.list(options);
  // Postgres knows no NUL, and no name has one.
  const row = options.name.includes("\0") ? null : await source.byName(options.name);
  return { items: row === null ? [] : [row], nextCursor: null };
}

/** Which versions of a thing a caller means to change; null: whichever it is at. */
export type IfMatch = readonly number[] | null;

/** RFC 9110, section 13.1.1: what was changed since the caller read it is left as it is. */
export function matched<T extends { readonly version: number }>(row: T, ifMatch: IfMatch): T {
  if (ifMatch === null || ifMatch.includes(row.version)) return row;
  throw overtaken(new StaleVersionError(row.version), ifMatch);
}

/** Where a caller named the version to be changed, and it was changed by another one: 412. */
export function overtaken(error: unknown, ifMatch: IfMatch): unknown {
  if (ifMatch === null || !(error instanceof StaleVersionError)) return error;
  return Object.assign(new Error(error.message), { statusCode: 412 });
}

export async function allConnectors(store: Store): Promise<ConnectorRow[]> {
  const rows: ConnectorRow[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Page<ConnectorRow> = await store.connectors.list({ limit: 200, cursor });
    rows.push(...page.items);
    if (page.nextCursor === null) return rows;
    cursor = page.nextCursor;
  }
}

/** Types of the connectors, by the connectors' names. */
export function typesOf(rows: readonly ConnectorRow[], registry: ConnectorRegistry): Map<string, ConnectorType | null> {
  return new Map(rows.map(({ name, type }) => [name, registry.type(type) ?? null]));
}

/** Ids of the integrations that use one of the connectors. */
export async function usersOf(connectors: readonly string[], store: Store): Promise<string[]> {
  if (connectors.length === 0) return [];
  const uses = (spec: JsonObject) => {
    const { sources, steps, destinations } = resolveIntegration(spec);
    const users = [...sources, ...steps.filter((step) => step.type === "enrich"), ...destinations];
    return users.some(({ connector }) => connectors.includes(connector));
  };
  return (await store.integrations.all()).filter(({ spec }) => uses(spec)).map(({ id }) => id);
}
