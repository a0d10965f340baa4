import type { Part } from "../../runtime/config/index.ts";

/*
 * What the shapes of resources are made of.
 */

export const object = (properties: Record<string, Part>): Part => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});
export const orNull = (part: Part): Part => ({ ...part, type: [part.type as string, "null"] });
export const string: Part = { type: "string" };
export const integer: Part = { type: "integer" };
export const id: Part = { type: "string", format: "uuid", description: "UUIDv7." };
export const time: Part = { type: "string", format: "date-time" };
export const anything: Part = {};
export const anyObject: Part = { type: "object" };

export const circuit = object({
  state: { enum: ["closed", "open", "half_open"] },
  since: { ...orNull(time), description: "When it was closed last." },
  reason: { ...orNull(string), description: "What the far side said when it opened." },
  failure_ratio: { type: ["number", "null"], description: "Share of records that had failed then, 0 to 1." },
});

export const circuits: Part = {
  type: "object",
  description: "By destination, and by `step ID` for each step that looks up: whether it is called.",
  additionalProperties: circuit,
};

export const durability: Part = {
  ...object({ tier: { enum: ["synced", "replicated", "server"] }, copies: integer }),
  description:
    "What of a log outlives a loss of power. synced: fsynced on one server; replicated: on most of so many; server: as an external server is set up.",
};

export const error: Part = {
  ...object({ code: string, message: string }),
  properties: {
    code: string,
    message: string,
    path: { ...string, description: "Of the setting at fault, where there is one." },
  },
};

export const fieldErrors: Part = { type: "array", items: object({ path: string, message: string }) };
