/** What is wrong, by the path of the field. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** A problem document of the API (RFC 9457), or that there was no answer at all. */
export class Problem extends Error {
  override readonly name = "Problem";
  /** 0: there was no answer. */
  readonly status: number;
  readonly code: string;
  readonly errors: readonly FieldError[];
  readonly requestId: string | null;
  /** In seconds, where the server said so. */
  readonly retryAfter: number | null;

  constructor(given: {
    status: number;
    code: string;
    detail: string;
    errors?: readonly FieldError[];
    requestId?: string | null;
    retryAfter?: number | null;
  }) {
    super(given.detail);
    this.status = given.status;
    this.code = given.code;
    this.errors = given.errors ?? [];
    this.requestId = given.requestId ?? null;
    this.retryAfter = given.retryAfter ?? null;
  }

  /** Whether it may pass by itself: asking again is worth it. */
  get mayPass(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/** Of an answer that is no success. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const given = parsed(text);
  return new Problem({
    status: response.status,
    code: typeof given.code === "string" ? given.code : `HTTP_${response.status}`,
    detail: typeof given.detail === "string" ? given.detail : `the server answered ${response.status}`,
    errors: Array.isArray(given.errors) ? given.errors : [],
    requestId: response.headers.get("x-request-id"),
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : null,
  });
}

function parsed(text: string): { code?: unknown; detail?: unknown; errors?: unknown } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Of a request that got no answer. */
export const noAnswer = (): Problem =>
  new Problem({ status: 0, code: "NO_ANSWER", detail: "the server cannot be reached" });

/** Of whatever was thrown. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    code: "CONSOLE_ERROR",
    detail: error instanceof Error ? error.message : String(error),
  });
}
