import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TestNode } from "../support/node.ts";

export interface HookAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** As senders do: again for as long as the answer is "again in a moment". */
export async function send(...request: Parameters<typeof sendOnce>): Promise<HookAnswer> {
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await sendOnce(...request);
    const isSoon = answer.status === 503 && Number(answer.headers.get("retry-after")) < 10;
    if (!isSoon || Date.now() > end) return answer;
    await delay(100);
  }
}

/** A request as the sender makes it: nothing is added to its headers or its body. */
export async function sendOnce(
  node: Pick<TestNode, "url">,
  integration: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<HookAnswer> {
  const hasBody = method === "POST";
  const response = await fetch(`${node.url}/v1/hooks/${integration}`, {
    method,
    headers: { ...(hasBody && { "content-type": "application/json" }), ...headers },
    ...(hasBody && { body: body as Uint8Array<ArrayBuffer> }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export function githubSignature(secret: string, body: string | Uint8Array): Record<string, string> {
  return { "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
}

/** By the scheme of Standard Webhooks; `secret` in base64, without its prefix. */
export function standardSignature(secret: string, id: string, body: string, at = Date.now()): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const key = Buffer.from(secret, "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${digest}` };
}

/** An integration that writes what it is sent to a file of its name. */
export async function hookInto(node: TestNode, name: string, auth: object, more: object = {}): Promise<string> {
  return node.api.integration({
    name,
    destination: { connector: "files", stream: `${name}.ndjson` },
    trigger: { type: "webhook", auth },
    ...more,
  });
}

export function linesOf<T = Record<string, unknown>>(node: Pick<TestNode, "files">, name: string): T[] {
  const file = join(node.files, `${name}.ndjson`);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as T);
}
