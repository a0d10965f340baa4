import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { isObject } from "../record/index.ts";
import { redacted } from "./secrets.ts";

/** What a secret of a trigger begins with in the store, unless it is made of references. */
export const sealedMark = "sealed:";

export const isSealed = (secret: Json): secret is string => typeof secret === "string" && secret.startsWith(sealedMark);

/** The secrets of a spec's trigger `webhook`, by their paths below `trigger.auth`. */
export function hookSecretsIn({ trigger }: JsonObject): ReadonlyMap<string, Json> {
  const { secrets, verify_token: token } = authIn(trigger);
  const listed = Array.isArray(secrets) ? secrets : [];
  return new Map([
    ...listed.map((secret, index) => [`secrets[${index}]`, secret] as const),
    ...(token === undefined ? [] : [["verify_token", token] as const]),
  ]);
}

/** The spec with each of them changed. */
export function withHookSecrets(spec: JsonObject, change: (path: string, secret: Json) => Json): JsonObject {
  const changed = new Map(Array.from(hookSecretsIn(spec), ([path, secret]) => [path, change(path, secret)]));
  if (changed.size === 0) return spec;
  const { verify_token: token, ...listed } = Object.fromEntries(changed);
  const auth = {
    ...authIn(spec.trigger),
    ...(Object.keys(listed).length > 0 && { secrets: Object.values(listed) }),
    ...(token !== undefined && { verify_token: token }),
  };
  return { ...spec, trigger: { ...(spec.trigger as JsonObject), auth } };
}

/** As it is shown. */
export function redactedHookSecrets(spec: JsonObject): JsonObject {
  return withHookSecrets(spec, (_, secret) => (isSealed(secret) ? redacted : secret));
}

function authIn(trigger: Json = null): JsonObject {
  const { auth = null } = isObject(trigger) ? (trigger as JsonObject) : {};
  return isObject(auth) ? (auth as JsonObject) : {};
}
