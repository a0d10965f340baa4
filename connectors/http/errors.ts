import { ConnectorError, clipped, type ErrorCode, type Fault, parseRetryAfter, sentence } from "../sdk/index.ts";
import { ConnectFailure } from "./connect.ts";
import type { Redact } from "./redact.ts";

/** Contract section 8: what a status says. All others are the record's fault. */
const meanings: { readonly [status: number]: readonly [ErrorCode, Fault] } = {
  400: ["VALIDATION_ERROR", "record"],
  401: ["UNAUTHORIZED", "destination"],
  403: ["FORBIDDEN", "destination"],
  404: ["NOT_FOUND", "record"],
  408: ["TIMEOUT", "transient"],
  409: ["CONFLICT", "record"],
  410: ["NOT_FOUND", "record"],
  422: ["BUSINESS_RULE", "record"],
  429: ["RATE_LIMITED", "transient"],
  500: ["INTERNAL_ERROR", "transient"],
  502: ["UNAVAILABLE", "transient"],
  503: ["UNAVAILABLE", "transient"],
  504: ["TIMEOUT", "transient"],
};

export function meaningOf(status: number): readonly [code: ErrorCode, fault: Fault] {
  return meanings[status] ?? ["VALIDATION_ERROR", "record"];
}

/** What an answer says: enough of it for an error. */
export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  /** The body's beginning. */
  readonly text: string;
}

/** `where`: the request without its query, for the message. `path`: the setting that stands for the request. */
export function statusError(answer: Answer, where: string, path: string | undefined, redact: Redact): ConnectorError {
  const { status, headers } = answer;
  const [code, fault] = meaningOf(status);
  const said = status >= 300 && status < 400 ? redirection(answer) : messageIn(answer, redact);
  const message = `${where} answered ${status}${said === "" ? "" : `: ${said}`}`;
  const retryAfter = one(headers["retry-after"]);
  const retryAfterMs = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, Date.now());
  const setting = status === 401 || status === 403 ? "config.auth" : path;
  return new ConnectorError(code, sentence(message), {
    fault,
    ...(setting === undefined ? {} : { path: setting }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** A request that got no answer, or an answer that broke off. */
export function transportError(error: unknown, where: string, redact: Redact): ConnectorError {
  if (error instanceof ConnectorError) return error;
  const failure = connectFailureIn(error);
  if (failure !== undefined) {
    // Nothing was sent: it says nothing of a record.
    const code = failure.kind === "address" ? "FORBIDDEN" : "UNAVAILABLE";
    const path = failure.kind === "tls" ? "config.tls" : "config.base_url";
    const message = `${where}: ${redact(failure.message)}`;
    return new ConnectorError(code, sentence(message), { fault: "destination", path, cause: error });
  }
  const code = codeOf(error);
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT" || isTimeout(error)) {
    const what = code === "UND_ERR_BODY_TIMEOUT" ? "the rest of the answer" : "an answer";
    return new ConnectorError("TIMEOUT", `${where}: no end of waiting for ${what}.`, {
      fault: "transient",
      cause: error,
    });
  }
  if (code === "UND_ERR_INVALID_ARG") {
    return new ConnectorError("VALIDATION_ERROR", sentence(`${where}: ${redact(textOf(error))}`), { fault: "record" });
  }
  if (/^(Z_|ERR_BUFFER_TOO_LARGE|ERR_BROTLI|ERR__ERROR_FORMAT|ERR_PADDING|ZSTD)/.test(code)) {
    const message = `${where}: the answer is not compressed as it says, or breaks off: ${textOf(error)}`;
    return new ConnectorError("UNAVAILABLE", sentence(message), { fault: "transient", cause: error });
  }
  const message = `${where}: the connection broke: ${redact(textOf(error))}`;
  return new ConnectorError("UNAVAILABLE", sentence(message), { fault: "transient", cause: error });
}

export function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function redirection({ headers }: Answer): string {
  const location = one(headers.location);
  const to = location === undefined || !URL.canParse(location) ? "" : ` to ${new URL(location).origin}`;
  return `it redirects${to}, which is not followed here`;
}

const shown = 300;
/** A page may begin with a comment, but not with many. */
const beginning = 4_096;

/** Whether a text is an HTML page, whatever its Content-Type says: some APIs call an "ok" HTML. */
export function isPage(text: string): boolean {
  return /^[\s\ufeff]*(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)?<(!doctype\s+html|html|head|body)\b/i.test(
    text.slice(0, beginning),
  );
}

/** What answers with a page where an API was asked says nothing of a record: as a rule it wants somebody to log in. */
export class PageError extends ConnectorError {
  constructor({ status, text }: Answer, where: string, path: string, redact: Redact) {
    const what = `${where} answered ${status} with ${pageIn(text, redact)}`;
    super("UNAVAILABLE", sentence(`${what}, as a login or a proxy does: it is no answer of an API`), {
      fault: "destination",
      path,
    });
  }
}

function pageIn(text: string, redact: Redact): string {
  const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1]?.trim();
  return `an HTML page${title ? ` with the title "${cut(title, redact)}"` : ""}`;
}

/** What the far side says is wrong: where APIs put it, else the beginning of a text. */
function messageIn({ headers, text }: Answer, redact: Redact): string {
  if (/html/i.test(one(headers["content-type"]) ?? "") || isPage(text)) return pageIn(text, redact);
  try {
    return cut(messageOf(JSON.parse(text)) ?? text, redact);
  } catch {
    return cut(text, redact);
  }
}

const members = ["detail", "message", "error_description", "description", "error", "errors", "title", "reason"];

function messageOf(value: unknown): string | undefined {
  if (typeof value === "string" && value !== "") return value;
  if (Array.isArray(value)) return messageOf(value[0]);
  if (typeof value !== "object" || value === null) return undefined;
  for (const name of members) {
    const found = messageOf((value as Record<string, unknown>)[name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The beginning of a text. Of a secret that stands across its end nothing is left: it is looked for in the whole. */
export function cut(text: string, redact: Redact): string {
  return clipped(redact(text).replace(/\s+/g, " ").trim(), shown);
}

function connectFailureIn(error: unknown): ConnectFailure | undefined {
  if (error instanceof ConnectFailure) return error;
  return error instanceof Error && error.cause !== undefined ? connectFailureIn(error.cause) : undefined;
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
