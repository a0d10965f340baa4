import { parseExact } from "../lib/exact-json.ts";
import { noAnswer, problemOf } from "./problem.ts";
import { session } from "./session.ts";

type Scalar = string | number | boolean | null | undefined;

export interface CallOptions {
  /** What is null, undefined or empty is left out. */
  readonly query?: Readonly<Record<string, Scalar>> | undefined;
  readonly body?: unknown;
  /** Only change this version: 412 or 409 where another one is there by now. */
  readonly version?: number | undefined;
  /** Of a POST that is sent again; left out: a new one for each call; null: none, where nothing is made. */
  readonly idempotencyKey?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Calls the API. Rejects with a `Problem`. A 401 signs out: the form comes, and leads back. Records keep their digits. */
async function call<T>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
  const { body, version, idempotencyKey = method === "POST" ? randomKey() : undefined, signal } = options;
  const response = await send(path, {
    method,
    query: options.query,
    signal,
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(version !== undefined && { "if-match": `"${version}"` }),
      ...(idempotencyKey != null && { "idempotency-key": idempotencyKey }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return (text === "" ? undefined : parseExact(text)) as T;
}

export const api = {
  get: <T>(path: string, query?: CallOptions["query"], signal?: AbortSignal) => call<T>("GET", path, { query, signal }),
  post: <T>(path: string, body?: unknown, options?: CallOptions) => call<T>("POST", path, { ...options, body }),
  put: <T>(path: string, body?: unknown, options?: CallOptions) => call<T>("PUT", path, { ...options, body }),
  patch: <T>(path: string, body?: unknown, options?: CallOptions) => call<T>("PATCH", path, { ...options, body }),
  delete: (path: string, options?: CallOptions) => call<void>("DELETE", path, options),
};

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** An answer that is a success, its body unread. `key` instead of the session's. */
export async function send(
  path: string,
  {
    query,
    headers,
    key = session.key,
    ...init
  }: Omit<RequestInit, "headers"> & {
    query?: CallOptions["query"];
    headers?: Record<string, string>;
    key?: string | null;
  } = {},
): Promise<Response> {
  const response = await fetch(path + queryText(query), {
    ...init,
    headers: { ...headers, ...(key !== null && { authorization: `Bearer ${key}` }) },
  }).catch((error: unknown) => {
    throw init.signal?.aborted ? error : noAnswer();
  });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && key === session.key) session.signOut();
  throw problem;
}

function queryText(query: CallOptions["query"] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** `crypto.randomUUID` is there on https and localhost only. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
