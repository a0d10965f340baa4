import {
  type CallLimit,
  ConnectorError,
  type Correlation,
  type Json,
  type JsonObject,
  type JsonSchema,
  type LookupFailure,
  type LookupResult,
  parseExact,
} from "../sdk/index.ts";
import { type HttpClient, within } from "./client.ts";
import { isPage, one, PageError, statusError } from "./errors.ts";
import { Grants } from "./grants.ts";
import type { Redact } from "./redact.ts";
import { addQuery, bodyOf, headersOf, urlBelow, whereOf } from "./request.ts";
import type { Semaphore } from "./semaphore.ts";

/** `{ method, path, query, headers, body }`; the answer's JSON is what was found, 404 and an empty answer are nothing. */
export const lookupRequest: JsonSchema = {
  type: "object",
  description: "A request below base_url. What fills a hole of `path` is percent-encoded.",
  additionalProperties: false,
  required: ["path"],
  properties: {
    method: { enum: ["GET", "POST"], description: "HTTP method. Default: GET." },
    path: { type: "string", pattern: "^/", description: "Path below base_url; may have a query." },
    query: { type: "object", description: "Query parameters. Null is left out; an array is sent as several." },
    headers: { type: "object", description: "Headers beside the connector's.", additionalProperties: {} },
    body: { description: "The body, sent as JSON; a text is sent as it is." },
  },
};

const answerLimit = 16 * 1024 * 1024;

export interface LookupSettings {
  readonly client: HttpClient;
  readonly base: URL;
  readonly slots: Semaphore;
  /** Of these; so many that hang in a row are enough to ask no further. */
  readonly concurrency: number;
  readonly totalMs: number;
  readonly redact: Redact;
  /** As in RequestDefaults. */
  readonly headers: Readonly<Record<string, string>>;
  readonly correlation: Correlation | undefined;
}

/** Asks for each request by itself, several at once. */
export async function lookUp(
  requests: readonly Json[],
  settings: LookupSettings,
  signal: AbortSignal,
  limit: CallLimit | undefined,
): Promise<LookupResult> {
  const grants = new Grants(limit, signal);
  const answers = new Array<Json | null>(requests.length).fill(null);
  const failed: LookupFailure[] = [];
  const left: number[] = [];
  const pages: { readonly index: number; readonly error: PageError }[] = [];
  let fault: unknown;
  let hung = 0;
  await Promise.all(
    requests.map((request, index) =>
      settings.slots.run(async () => {
        if (fault !== undefined) return;
        if (hung >= settings.concurrency) {
          left.push(index);
          return;
        }
        try {
          answers[index] = await ask(request, settings, grants, signal);
          hung = 0;
        } catch (error) {
          if (fault !== undefined) return;
          if (error instanceof PageError) {
            pages.push({ index, error });
            return;
          }
          hung = error instanceof ConnectorError && error.code === "TIMEOUT" ? hung + 1 : 0;
          if (error instanceof ConnectorError && error.fault !== "destination") {
            const { code, message, retryAfterMs } = error;
            failed.push({ index, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
          } else {
            fault = error;
            grants.stop();
          }
        }
      }),
    ),
  );
  signal.throwIfAborted();
  if (fault !== undefined) throw fault;
  // A server that answers others as an API has a page in the place of one thing: that is its request's fault.
  const [page] = pages;
  if (page && pages.length + left.length === requests.length) throw page.error;
  for (const { index, error } of pages) failed.push({ index, code: "VALIDATION_ERROR", message: error.message });
  return { answers, failed, left };
}

async function ask(request: Json, settings: LookupSettings, grants: Grants, signal: AbortSignal): Promise<Json | null> {
  const { client, base, totalMs: ms, redact, correlation } = settings;
  const { method, path, query, headers: given, body: value } = checked(request);
  const url = urlBelow(base.href.replace(/\/$/, ""), path);
  addQuery(url, query);
  const headers = { ...settings.headers, ...headersOf(given) };
  headers.accept ??= "application/json";
  const body = value === undefined ? undefined : bodyOf(value, headers);
  // What stands in the path may be a record's.
  const where = `${whereOf(method, base, "")} (look-up)`;
  await grants.next();
  const answer = await within({ signal, ms, where, redact }, (limited, unhurried) => {
    const further = () => unhurried(grants.further);
    const sent = { where, method, url, headers, body, followsRedirects: true, correlation, signal: limited, further };
    return client.fetch(sent, answerLimit);
  });
  const { status, text } = answer;
  if (status === 404 || status === 410) return null;
  if (status < 200 || status >= 300) throw statusError(answer, where, "request.path", redact);
  if (text.trim() === "") return null;
  const type = one(answer.headers["content-type"]) ?? "";
  try {
    return parseExact(text);
  } catch {
    if (isPage(text)) throw new PageError(answer, where, "config.base_url", redact);
    if (/^text\/plain\b/i.test(type)) return text;
    const message = `${where} answered what is no JSON (Content-Type ${type || "none"}).`;
    throw new ConnectorError("VALIDATION_ERROR", message, { fault: "record", path: "request.path" });
  }
}

interface Checked {
  readonly method: string;
  readonly path: string;
  readonly query: JsonObject;
  readonly headers: JsonObject;
  readonly body: Json | undefined;
}

/** Templates may have given anything. */
function checked(request: Json): Checked {
  const { method = "GET", path, query = {}, headers = {}, body, ...others } = isObject(request) ? request : {};
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw bad(`The request has an unknown field ${unknown}`, `request.${unknown}`);
  if (typeof path !== "string" || path === "") throw bad("The request has no path", "request.path");
  if (method !== "GET" && method !== "POST")
    throw bad("The request's method is neither GET nor POST", "request.method");
  if (!isObject(query)) throw bad("The request's query is no object", "request.query");
  if (!isObject(headers)) throw bad("The request's headers are no object", "request.headers");
  return { method, path, query, headers, body };
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

function bad(message: string, path: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", `${message}.`, { fault: "record", path });
}
