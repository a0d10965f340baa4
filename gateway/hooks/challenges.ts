import type { Json } from "../../connectors/sdk/index.ts";
import type { HookScheme } from "../../runtime/config/index.ts";
import { parseBody } from "../rest/body.ts";
import type { HookRequest } from "./proof.ts";

/** What is no event, and answered at once. */
export interface Challenge {
  /** Text to be given back. */
  readonly text: string;
}

/** A request, proved already, by which a provider asks whether anybody is there. */
export function challengeIn(scheme: HookScheme, { headers, body }: HookRequest): Challenge | undefined {
  if (scheme === "github" && headers["x-github-event"] === "ping") return { text: "pong" };
  if (scheme !== "slack" || body.length > 4_096) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (!bytes.includes("url_verification")) return undefined;
  // A form, too, may have the words in it.
  const asked = jsonOf(bytes) as { readonly type?: unknown; readonly challenge?: unknown } | null | undefined;
  return asked?.type === "url_verification" && typeof asked.challenge === "string"
    ? { text: asked.challenge }
    : undefined;
}

function jsonOf(bytes: Buffer): Json | undefined {
  try {
    return parseBody(bytes);
  } catch {
    return undefined;
  }
}
