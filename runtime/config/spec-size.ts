import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";

/** Bytes of JSON that a connector, an integration or a plugin takes at most: each version of it is kept. */
export const maxSpecBytes = 1_000_000;

export function checkSize(spec: Json): FieldError[] {
  return bytesOf(spec) <= maxSpecBytes
    ? []
    : [{ path: "", message: `takes more than ${maxSpecBytes / 1_000_000} MB as JSON; that is the limit` }];
}

function bytesOf(spec: Json): number {
  try {
    return Buffer.byteLength(JSON.stringify(spec) ?? "");
  } catch {
    // Longer than any text may be.
    return Number.POSITIVE_INFINITY;
  }
}
