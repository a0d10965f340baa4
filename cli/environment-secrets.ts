import { Redactor } from "../runtime/config/index.ts";

const urls = ["SLUICE_DATABASE_URL", "SLUICE_NATS_URL"];
const values = ["SLUICE_TOKEN", "SLUICE_VAULT_TOKEN", "SLUICE_VAULT_SECRET_ID"];

/** Tells the redactor what of the environment is secret by itself; what references name it is told when they are resolved. */
export function addEnvironmentSecrets(redactor: Redactor, env: NodeJS.ProcessEnv): void {
  for (const name of urls) addServerUrl(redactor, env[name] ?? "");
  for (const name of values) redactor.add(env[name] ?? "");
  for (const key of (env.SLUICE_MASTER_KEY ?? "").split(",")) redactor.add(key.trim());
  for (const header of (env.OTEL_EXPORTER_OTLP_HEADERS ?? "").split(",")) redactor.add(header.replace(/^[^=]*=/, ""));
}

/** Who gets in with it: a password, or for NATS a token in the place of the user. Without one it is no secret. */
export function addServerUrl(redactor: Redactor, url: string): void {
  const credentials = /^[a-z]+:\/\/([^/?#]*)@/i.exec(url)?.[1];
  if (credentials === undefined) return;
  if (URL.canParse(url)) redactor.add(url);
  const [user = "", ...rest] = credentials.split(":");
  redactor.add(rest.length === 0 ? user : rest.join(":"));
}

/** A text for a terminal without what is secret in the environment. */
export function redactEnvironment(text: string, env: NodeJS.ProcessEnv): string {
  const redactor = new Redactor();
  addEnvironmentSecrets(redactor, env);
  return redactor.redact(text);
}
