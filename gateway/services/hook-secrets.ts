import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  hasReference,
  hookSecretsIn,
  isSealed,
  type ResolveReference,
  redacted,
  resolveReferences,
  sealedMark,
  withHookSecrets,
} from "../../runtime/config/index.ts";
import { type FieldError, messageOf } from "../../runtime/errors/index.ts";
import type { Sealer } from "../../runtime/ports/connectors.ts";
import { isObject } from "../../runtime/record/index.ts";

/**
 * Invariant 7: what the store is given of an integration. Secrets in plain text are sealed with the integration's id; what
 * is the same as before, or `***` in the place of one, stays what it was. Expects a spec that was found valid.
 */
export async function sealHookSecrets(
  id: string,
  spec: JsonObject,
  before: JsonObject | undefined,
  sealer: Sealer,
): Promise<{ readonly spec: JsonObject; readonly errors: readonly FieldError[] }> {
  const given = hookSecretsIn(spec);
  const stored = hookSecretsIn(before ?? {});
  const known = new Map<string, string>();
  for (const each of stored.values()) if (isSealed(each)) known.set(await opened(id, each, sealer), each);
  const errors: FieldError[] = [];
  const secrets = new Map<string, Json>();
  for (const [path, secret] of given) {
    const text = secret as string;
    const kept = stored.get(path);
    if (text === redacted && kept !== undefined && isSealed(kept)) secrets.set(path, kept);
    else if (text === redacted) {
      errors.push({
        path: `trigger.auth.${path}`,
        message: `${redacted} keeps a stored secret, and there is none here`,
      });
    } else secrets.set(path, hasReference(text) ? text : (known.get(text) ?? (await sealed(id, text, sealer))));
  }
  return { spec: withHookSecrets(spec, (path, secret) => secrets.get(path) ?? secret), errors };
}

/** A value of a plan without what is sealed. */
export function redactedValue(value: Json): Json {
  if (isSealed(value)) return redacted;
  if (Array.isArray(value)) return value.map(redactedValue);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redactedValue(each)])) as JsonObject;
}

/** The secrets of a trigger as they stand in the store, in plain text. */
export async function openHookSecrets(
  id: string,
  secrets: readonly string[],
  sealer: Sealer,
  resolve: ResolveReference,
): Promise<readonly string[]> {
  return Promise.all(
    secrets.map(async (each) =>
      isSealed(each) ? opened(id, each, sealer) : ((await resolveReferences(each, resolve)) as string),
    ),
  );
}

/** References among a trigger's secrets that stand for nothing at the moment. */
export async function unresolvedHookSecrets(spec: JsonObject, resolve: ResolveReference): Promise<FieldError[]> {
  const found: FieldError[] = [];
  for (const [path, secret] of hookSecretsIn(spec)) {
    if (typeof secret !== "string" || isSealed(secret) || !hasReference(secret)) continue;
    try {
      await resolveReferences(secret, resolve);
    } catch (error) {
      const message = `${messageOf(error)}; until it is there, requests are answered 503`;
      found.push({ path: `trigger.auth.${path}`, message });
    }
  }
  return found;
}

async function sealed(id: string, secret: string, sealer: Sealer): Promise<string> {
  return sealedText(await sealer.seal(id, { secret }));
}

async function opened(id: string, text: string, sealer: Sealer): Promise<string> {
  const { secret } = await sealer.unseal(id, bytesOf(text));
  return secret as string;
}

/** What is sealed in a spec, and how a secret that was wrapped anew stands there. */
export const sealedHookSecrets = (spec: JsonObject): readonly Uint8Array[] =>
  [...hookSecretsIn(spec).values()].flatMap((each) => (isSealed(each) ? [bytesOf(each)] : []));
export const sealedText = (bytes: Uint8Array): string => sealedMark + Buffer.from(bytes).toString("base64");
const bytesOf = (text: string): Buffer => Buffer.from(text.slice(sealedMark.length), "base64");
