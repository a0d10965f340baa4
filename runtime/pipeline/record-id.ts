import { hash } from "node:crypto";

/**
 * A record's id: a hash of the integration, the source's position and the record's ordinal there, so that it is the same
 * however often the record is read. Descendants of a split add their own ordinal. 32 hexadecimal digits.
 */
export function recordId(integrationId: string, base: string, ordinal: number, child = ""): string {
  return hash("sha256", JSON.stringify([integrationId, base, ordinal, child]), "hex").slice(0, 32);
}
