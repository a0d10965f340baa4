import { isIP } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, type Segment } from "../errors/index.ts";
import { isObject } from "../record/index.ts";
import { isReference } from "./references.ts";
import { joinSecrets, redacted, type SplitConfig, splitSecrets } from "./secrets.ts";

/**
 * Names of settings that say whom a connector talks to, and how surely, or what it runs: `base_url`, `brokers`, `tls`.
 * A port is none: it is the same machine's.
 */
const addressed =
  /(?:^|_)(?:ur[il]s?|(?:host(?:name)?|address(?:es)?|server|broker|endpoint|domain|subdomain|bootstrap|site|website|instance|account|tenant|realm|target|origin|base)s?|broker_list|proxy|dsn|command|args|tls|ssl|sslmode|verify|insecure|ca|mechanism)$/;
/** And values that do, whatever their name: a URL, or a host with its port. */
const address = /^(?:[a-z][a-z\d+.-]*:\/\/\S+|[\w.-]+:\d{2,5})$/i;

/**
 * Secrets that `***` would take to another address: whoever may change the address, and may not read the secret, would
 * have it sent to a server of their own. A reference is no such secret: its name says nothing, and whoever may write a
 * configuration may write it.
 */
export function strandedSecrets(schema: JsonSchema, stored: SplitConfig, given: JsonObject): FieldError[] {
  const kept = Object.entries(splitSecrets(schema, given).secrets)
    .filter(([path, value]) => value === redacted && Object.hasOwn(stored.secrets, path))
    .filter(([path]) => !isReference(stored.secrets[path]!));
  if (kept.length === 0) return [];
  const [before, after] = [stored.open, given].map((open) => addresses(joinSecrets(schema, open, stored.secrets)));
  const names = new Set([...before!.keys(), ...after!.keys()]);
  const moved = [...names].filter((path) => !isDeepStrictEqual(before!.get(path), after!.get(path)));
  if (moved.length === 0) return [];
  const message = `${redacted} keeps a stored secret only where ${moved.join(", ")} stays as it is: give the secret anew`;
  return kept.map(([path]) => ({ path, message }));
}

function addresses(
  value: Json,
  path: readonly Segment[] = [],
  found: Map<string, Json> = new Map(),
): ReadonlyMap<string, Json> {
  const members: [Segment, Json][] = Array.isArray(value)
    ? [...value.entries()]
    : isObject(value)
      ? Object.entries(value)
      : [];
  for (const [name, member] of members) {
    const at = [...path, name];
    const words = String(name)
      .replace(/([a-z\d])([A-Z])/g, "$1_$2")
      .replaceAll("-", "_")
      .toLowerCase();
    // What is an object is a name that the user chose, or holds further settings.
    const isAddress =
      addressed.test(words) || (typeof member === "string" && (address.test(member) || isIP(member) !== 0));
    if (isAddress && !isObject(member)) found.set(formatPath(at), member);
    else addresses(member, at, found);
  }
  return found;
}
