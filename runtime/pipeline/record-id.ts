import { hash } from "node:crypto";
import type { ReadBatch } from "../../connectors/sdk/index.ts";

/**
 * A record's id: a hash of the integration, the source's position and the record's ordinal there, so that it is the same
 * however often the record is read. Descendants of a split add their own ordinal. 32 hexadecimal digits.
 */
export function recordId(integrationId: string, base: string, ordinal: number, child = ""): string {
  return hash("sha256", JSON.stringify([integrationId, base, ordinal, child]), "hex").slice(0, 32);
}

/** What a record of a batch is known by. An ordinal that a double does not hold becomes part of the base, to the digit. */
export function placeIn({ base, offset, ordinals }: ReadBatch["position"], index: number): Place {
  const ordinal = ordinals?.[index] ?? offset + index;
  return typeof ordinal === "string" ? { base: `${base}#${ordinal}`, ordinal: 0 } : { base, ordinal };
}

interface Place {
  readonly base: string;
  readonly ordinal: number;
}
