import { readFileSync } from "node:fs";
import { beforeAll, expect, test, vi } from "vitest";
import { sharedNode } from "../support/node.ts";
import { hookInto, linesOf, send } from "./support.ts";

const patience = { timeout: 120_000, interval: 50 };
vi.setConfig({ testTimeout: 300_000 });
const node = sharedNode();

beforeAll(async () => {
  await node().api.connector("files", "file", { path: node().files });
}, 240_000);

const read = (path: string) => JSON.parse(readFileSync(new URL(`../vectors/${path}.json`, import.meta.url), "utf8"));

interface Vector {
  readonly name: string;
  readonly secret?: string;
  readonly secrets?: readonly string[];
  readonly now?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly body_base64?: string;
  readonly valid: boolean;
  readonly reason?: string;
}

/** Of vectors that are about the time. That of a node is its own: all of them were signed years ago. */
const late = ["outside tolerance", "too old", "too new"];

test.each([
  ["standard-webhooks", 38],
  ["github", 22],
  ["stripe", 22],
  ["slack", 16],
])("the vectors of %s by the route: what is valid is in the log, all else is answered 401", async (scheme, count) => {
  const { cases } = read(`webhooks/${scheme}`) as { cases: Vector[] };
  expect(cases).toHaveLength(count);
  const names = new Map<string, string>();
  const accepted = new Map<string, number>();
  for (const { name, secret, secrets = [secret!], headers, valid, reason = "", ...each } of cases) {
    const auth = { scheme, secrets, ...(!late.includes(reason) && { tolerance: "10000d" }) };
    const key = JSON.stringify(auth);
    const into = names.get(key) ?? `${scheme}-${names.size}`;
    if (!names.has(key)) await hookInto(node(), into, auth);
    names.set(key, into);
    const body = each.body_base64 ? Buffer.from(each.body_base64, "base64") : Buffer.from(each.body ?? "");
    const lower = Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]));
    // Whatever it says: some are texts.
    const typed = { "content-type": "application/octet-stream", ...lower };
    const { status, text } = await send(node(), into, body, typed);
    if (!valid) expect([name, status]).toEqual([name, 401]);
    else if (scheme === "slack" && each.body?.includes("url_verification"))
      expect([name, status, text]).toEqual([name, 200, JSON.parse(each.body).challenge]);
    // Several have the id, or the time and body, of another.
    else if (status !== 200) expect([name, status]).toEqual([name, 202]);
    else expect([name, text]).toEqual([name, '{"status":"duplicate"}']);
    if (status === 202) accepted.set(into, (accepted.get(into) ?? 0) + 1);
  }
  const takers = new Set(cases.filter(({ valid }) => valid).map(({ secret, secrets }) => String(secrets ?? secret)));
  expect(accepted.size).toBe(takers.size);
  const landed = () => new Map(Array.from(accepted.keys(), (name) => [name, linesOf(node(), name).length]));
  await expect.poll(landed, patience).toEqual(accepted);
});

test("the vectors of CloudEvents by the route: events and batches that are valid are records, all else is answered 400", async () => {
  await hookInto(node(), "events", { scheme: "none" });
  const structured = { "content-type": "application/cloudevents+json" };
  const batched = { "content-type": "application/cloudevents-batch+json" };
  const tests = (file: string) =>
    (read(`cloudevents/${file}`) as { tests: { id: string; event?: object; batch?: object[] }[] }).tests;
  const post = (body: unknown, headers: Record<string, string>) =>
    send(node(), "events", typeof body === "string" ? body : JSON.stringify(body), headers);
  for (const { id, event } of tests("valid-events"))
    expect([id, (await post(event, structured)).status]).toEqual([id, expect.toBeOneOf([200, 202])]);
  for (const { id, batch } of tests("valid-batches"))
    expect([id, (await post(batch, batched)).status]).toEqual([id, expect.toBeOneOf([200, 202])]);
  for (const { id, event } of tests("invalid-events"))
    expect([id, (await post(event, structured)).status]).toEqual([id, 400]);
  for (const { id, batch } of tests("invalid-batches"))
    expect([id, (await post(batch, batched)).status]).toEqual([id, 400]);
  const { decode } = read("cloudevents/binding-examples") as {
    decode: { name: string; transport: string; headers: Record<string, string>; body: string; attributes: object }[];
  };
  for (const { name, transport, headers, body } of decode) {
    if (transport === "http")
      expect([name, (await post(body, headers)).status]).toEqual([name, expect.toBeOneOf([200, 202])]);
  }
  const ids = new Set(tests("valid-events").map(({ event }) => (event as { id: string }).id));
  const landed = () => new Set(linesOf<{ id: string }>(node(), "events").map(({ id }) => id));
  await expect.poll(() => ids.difference(landed()).size, patience).toBe(0);
});
