import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { isObject } from "../record/index.ts";
import { redacted } from "./secrets.ts";

/** What a secret of a trigger begins with in the store, unless it is made of references. */
export const sealedMark = "sealed:";

export const isSealed = (secret: Json): secret is string => typeof secret === "string" && secret.startsWith(sealedMark);

/** The secrets of a spec's trigger `webhook`. */
export function hookSecretsIn({ trigger }: JsonObject): readonly Json[] {
  if (!isObject(trigger ?? null)) return [];
  const { auth = null } = trigger as JsonObject;
  const { secrets = null } = isObject(auth) ? (auth as JsonObject) : {};
  return Array.isArray(secrets) ? secrets : [];
}

export function withHookSecrets(spec: JsonObject, secrets: readonly Json[]): JsonObject {
  const trigger = spec.trigger as JsonObject;
  return { ...spec, trigger: { ...trigger, auth: { ...(trigger.auth as JsonObject), secrets: [...secrets] } } };
}

/** As it is shown. */
export function redactedHookSecrets(spec: JsonObject): JsonObject {
  const secrets = hookSecretsIn(spec);
  return secrets.some(isSealed)
    ? withHookSecrets(
        spec,
        secrets.map((each) => (isSealed(each) ? redacted : each)),
      )
    : spec;
}
