import {
  ConnectorError,
  type Json,
  type JsonObject,
  type JsonSchema,
  type LookupFailure,
  type LookupResult,
} from "../sdk/index.ts";
import { columnNamed, findTable, noSuchTable, type Relation } from "./catalog.ts";
import type { Address, PostgresConfig } from "./config.ts";
import { parameterOf, plainText, quoted } from "./element.ts";
import { statementError } from "./errors.ts";
import { jsonColumns } from "./json-type.ts";
import { identifier } from "./names.ts";
import { Session } from "./session.ts";

/** `{ stream, by: { column: value } }` or `{ query, params: [ … ] }`; the first row found is the answer. */
type Request =
  | { readonly stream: string; readonly by: JsonObject }
  | { readonly query: string; readonly params: readonly Json[] };

/** The same as a JSON Schema. */
export const lookupRequest: JsonSchema = {
  type: "object",
  description: "A row of a table by columns that are equal, or the first row of a query of the config.",
  oneOf: [
    {
      type: "object",
      additionalProperties: false,
      required: ["stream", "by"],
      properties: {
        stream: { type: "string", minLength: 1, description: "Table or view." },
        by: { type: "object", minProperties: 1, description: "Values by the names of columns; nothing equals null." },
      },
    },
    {
      type: "object",
      additionalProperties: false,
      required: ["query"],
      properties: {
        query: { type: "string", minLength: 1, description: "Name under the config's `queries`." },
        params: { type: "array", description: "Values of $1, $2 and so on.", items: {} },
      },
    },
  ],
};

/** How long what is known of a table's columns counts. */
const knownMs = 60_000;

/** A connection for look-ups. Tables are described once a minute, and anew after an error. */
export class LookupSession {
  readonly #session: Session;
  readonly #config: PostgresConfig;
  readonly #tables = new Map<string, { readonly relation: Relation; readonly until: number }>();

  private constructor(session: Session, config: PostgresConfig) {
    this.#session = session;
    this.#config = config;
  }

  static async open(address: Address, config: PostgresConfig, signal: AbortSignal): Promise<LookupSession> {
    return new LookupSession(await Session.open(address, true, signal), config);
  }

  get lost(): boolean {
    return this.#session.lost;
  }

  /** Throws a ConnectorError; an abort breaks the connection. */
  async lookUp(requests: readonly Json[], signal: AbortSignal): Promise<LookupResult> {
    try {
      return await this.#session.during(signal, () => this.#answer(requests));
    } catch (error) {
      this.#tables.clear();
      signal.throwIfAborted();
      throw statementError(error, "request.stream");
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** One statement for all requests that ask a table by the same columns; queries run one by one. */
  async #answer(requests: readonly Json[]): Promise<LookupResult> {
    const failed: LookupFailure[] = [];
    const answers = new Array<Json | null>(requests.length).fill(null);
    const groups = new Map<string, { stream: string; names: string[]; indexes: number[]; bys: JsonObject[] }>();
    for (const [index, request] of requests.map(parseRequest).entries()) {
      if ("query" in request) {
        try {
          answers[index] = await runQuery(this.#session, this.#config, request.query, request.params);
        } catch (error) {
          const { fault, code, message } = statementError(error, "request.stream");
          if (fault !== "record") throw error;
          failed.push({ index, code, message });
        }
        continue;
      }
      const names = Object.keys(request.by).sort();
      // Nothing equals null.
      if (names.some((name) => request.by[name] === null)) continue;
      const id = JSON.stringify([request.stream, names]);
      const group = groups.get(id) ?? { stream: request.stream, names, indexes: [], bys: [] };
      groups.set(id, group);
      group.indexes.push(index);
      group.bys.push(request.by);
    }
    for (const group of groups.values()) {
      const relation = await this.#table(group.stream);
      const found = await rowsBy(this.#session, relation, group.stream, group.names, group.bys);
      for (const [at, row] of found) answers[group.indexes[at]!] = row;
    }
    return { answers, failed };
  }

  async #table(stream: string): Promise<Relation> {
    const now = performance.now();
    const known = this.#tables.get(stream);
    if (known !== undefined && now < known.until) return known.relation;
    const relation = await findTable(this.#session, stream);
    if (!relation) throw await noSuchTable(this.#session, stream, "request.stream");
    this.#tables.set(stream, { relation, until: now + knownMs });
    return relation;
  }
}

async function rowsBy(
  session: Session,
  relation: Relation,
  stream: string,
  names: readonly string[],
  bys: readonly JsonObject[],
): Promise<[number, Json][]> {
  const parameters = names.map((name) => parameterOf(columnNamed(relation, name, stream, `request.by.${name}`)));
  const arrays = parameters.map((parameter, at) => `$${at + 1}::${parameter.arrayType}`).join(", ");
  const columns = names.map((_, at) => `c${at}`).join(", ");
  const matches = names.map((name, at) => `t.${identifier(name)} = ${parameters[at]!.expression(`q.c${at}`)}`);
  const rows = await session.rows(
    `SELECT q.at, f.j FROM unnest(${arrays}) WITH ORDINALITY q(${columns}, at) CROSS JOIN LATERAL
      (SELECT row_to_json(r.*) j FROM (SELECT ${jsonColumns(relation.columns)} FROM ${relation.sql} t
        WHERE ${matches.join(" AND ")} LIMIT 1) r) f`,
    names.map((name, at) => `{${bys.map((by) => quoted(parameters[at]!.text(by[name]!))).join(",")}}`),
  );
  return rows.map(([at, text]) => [Number(at) - 1, parseExact(text!)]);
}

async function runQuery(session: Session, config: PostgresConfig, name: string, params: readonly Json[]) {
  const text = Object.hasOwn(config.queries ?? {}, name) ? config.queries![name] : undefined;
  if (text === undefined) {
    const message = `There is no query ${name} in the connector's config.`;
    throw new ConnectorError("NOT_FOUND", message, { fault: "destination", path: "request.query" });
  }
  const query = text.trim().replace(/;+$/, "");
  const values = params.map((value) => (value === null ? null : plainText(value)));
  const [row] = await session.rows(`SELECT row_to_json(q.*) FROM (${query}\n) q LIMIT 1`, values);
  return row ? parseExact(row[0]!) : null;
}

function parseRequest(request: Json): Request {
  if (typeof request === "object" && request !== null && !Array.isArray(request)) {
    const { stream, by, query, params = [], ...others } = request;
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) throw bad(`The request has an unknown field ${unknown}`, `request.${unknown}`);
    if (typeof query === "string" && Array.isArray(params) && stream === undefined && by === undefined) {
      return { query, params };
    }
    const isBy = typeof by === "object" && by !== null && !Array.isArray(by) && Object.keys(by).length > 0;
    if (typeof stream === "string" && isBy && query === undefined) return { stream, by };
  }
  throw bad("The request is neither {stream, by: {column: value}} nor {query, params: []}", "request");
}

/** Numbers that a double cannot hold keep their digits. */
function parseExact(text: string): Json {
  return JSON.parse(text, (_key, value: unknown, { source }: { source?: string }) =>
    typeof value === "number" && source !== undefined && source.replace(/\D/g, "").length > 15
      ? JSON.rawJSON(source)
      : value,
  ) as Json;
}

function bad(message: string, path: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", `${message}.`, { fault: "record", path });
}
