import { implies } from "./implies.ts";
import type { Schema } from "./keywords.ts";

export interface Compatibility {
  /** What is valid under the original can be read with the updated schema. */
  readonly backward: boolean;
  /** What is valid under the updated schema can be read with the original. */
  readonly forward: boolean;
}

/** How two versions of a JSON Schema (draft 4 to 2020-12) stand to each other. False where it is not proven. */
export function compatibility(original: Schema, updated: Schema): Compatibility {
  return { backward: implies(original, updated), forward: implies(updated, original) };
}
