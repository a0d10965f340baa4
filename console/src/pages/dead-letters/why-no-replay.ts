import type { Integration } from "../../api/types.ts";

/** Why nothing of an integration can be replayed now; null: it can. `depth`: how many are open, where that is known. */
export function whyNoReplay({ enabled }: Integration, depth: number | null): string | null {
  if (!enabled) return "The integration is disabled: enable it first";
  return depth === 0 ? "There is nothing to replay" : null;
}
