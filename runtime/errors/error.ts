import type { ErrorCode } from "../../connectors/sdk/index.ts";

export interface FieldError {
  /** Field path of the offending value: `integrations[0].source.stream`. */
  readonly path: string;
  /** One sentence with the fix, where there is one. */
  readonly message: string;
}

/** An error of the product's own, with a code of the taxonomy. Crosses processes as data (`toJSON`). */
export class SluiceError extends Error {
  override readonly name = "SluiceError";
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];

  constructor(code: ErrorCode, message: string, errors: readonly FieldError[] = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.errors = errors;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
