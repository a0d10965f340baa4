import type { FieldError } from "../runtime/errors/index.ts";
import { messageOf, unknownName } from "../runtime/errors/index.ts";
import { parseJson } from "../runtime/record/index.ts";
import { CommandError, exitCode, usageError } from "./exit.ts";
import { serverToken, serverUrl } from "./settings.ts";
import { type Fetch, trustingFetch } from "./trusting-fetch.ts";

/** A problem document (RFC 9457) that the server answered with. */
export class ProblemError extends CommandError {
  readonly status: number;
  readonly errors: readonly FieldError[];
  /** The document as it came. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    detail: string,
    errors: readonly FieldError[],
    problem: Readonly<Record<string, unknown>> = {},
  ) {
    // 400, 401, 404 and 422 are the caller's to put right; the rest is how it went.
    super(detail, [400, 401, 404, 422].includes(status) ? exitCode.usage : exitCode.failed);
    this.status = status;
    this.errors = errors;
    this.problem = problem;
  }
}

export interface Client {
  readonly url: string;
  /** Resolves with the parsed answer. Throws ProblemError, or CommandError with exit code 3 where nothing answers. */
  call<T>(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<T>;
  /** As `call`, but the answer as text. */
  text(path: string): Promise<string>;
}

export interface List<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** The server found by the environment and the data folder. */
export function createClient(env: NodeJS.ProcessEnv = process.env): Client {
  const url = serverUrl(env);
  const token = serverToken(env);
  const fetch = trustingFetch(env);

  async function request(method: string, path: string, body?: unknown, signal?: AbortSignal): ReturnType<Fetch> {
    const headers: Record<string, string> = {};
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await send(fetch, url + path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (!response.ok) throw await problemOf(response, url);
    return response;
  }

  return {
    url,
    text: async (path) => (await request("GET", path)).text(),
    async call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal) {
      const answer = await (await request(method, path, body, signal)).text();
      return (answer === "" ? undefined : parseJson(answer)) as T;
    },
  };
}

async function send(fetch: Fetch, url: string, init: Parameters<Fetch>[1]): ReturnType<Fetch> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    const origin = URL.canParse(url) ? new URL(url).origin : url;
    const why = cause?.code ?? messageOf(error);
    const hint = isUntrusted(why)
      ? "name the file with the authority that signed its certificate with SLUICE_CA"
      : "start one with `sluice up`, or name another with SLUICE_URL";
    throw new CommandError(`no server answers at ${origin} (${why}); ${hint}`, exitCode.unreachable);
  }
}

/** OpenSSL's codes of certificates that nobody known vouches for. */
const isUntrusted = (code: string) => code.includes("SELF_SIGNED") || code.startsWith("UNABLE_TO_");

async function problemOf(response: Awaited<ReturnType<Fetch>>, url: string): Promise<ProblemError> {
  const text = await response.text();
  const problem = problemIn(text);
  const { detail, errors = [] } = problem;
  if (response.status === 401) {
    const hint = "set SLUICE_TOKEN, or SLUICE_DATA_DIR to the data folder of that server";
    return new ProblemError(401, `the server at ${url} does not take this token; ${hint}`, []);
  }
  return new ProblemError(response.status, detail ?? `the server answered ${response.status}`, errors, problem);
}

interface Problem {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly [member: string]: unknown;
}

function problemIn(text: string): Problem {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {}; // No sluice, or a proxy before it.
  }
}

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** The connector or integration of a name. Throws a usage error with the nearest name where there is none. */
export async function byName<T extends Named>(
  client: Client,
  kind: "connector" | "integration",
  name: string,
): Promise<T> {
  const path = `/v1/${kind}s`;
  const { items } = await client.call<List<T>>("GET", `${path}?name=${encodeURIComponent(name)}`);
  if (items[0] !== undefined) return items[0];
  const all = await client.call<List<T>>("GET", `${path}?limit=200`);
  throw usageError(
    unknownName(
      kind,
      name,
      all.items.map((item) => item.name),
    ),
  );
}
