import { generateKeyPairSync } from "node:crypto";
import { afterEach, expect, test, vi } from "vitest";
import { decodeHooks, Outcome } from "../../runtime/hooks/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import type { IntegrationRow } from "../../runtime/ports/store.ts";
import type { Tracing } from "../../runtime/ports/telemetry.ts";
import { HookReceiver, type HookReceiverOptions } from "./receiver.ts";

function rowOf(name: string, auth: object): IntegrationRow {
  return {
    id: `01890000-0000-7000-8000-${name.padStart(12, "0")}`,
    name,
    spec: { destination: { connector: "files", stream: "x" }, trigger: { type: "webhook", auth: auth as never } },
    enabled: true,
    version: 1,
    owner: null,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    health: "ok",
    healthReason: null,
    circuits: {},
    losses: null,
    lossesSeen: null,
  };
}

type SecretsOf = HookReceiverOptions["secretsOf"];

/** A receiver of one integration, whose owner takes all that a server would. */
function receiverOf(
  row: IntegrationRow,
  secretsOf: SecretsOf = async (_id, secrets) => secrets,
  asked: (string | number)[] = [],
  maxBytes = 1024 * 1024,
  tracing?: Tracing,
) {
  return new HookReceiver({
    store: {
      integrations: {
        get: async () => null,
        byName: async (name: string) => {
          asked.push(name);
          return name === row.name ? row : null;
        },
        existing: async (names: readonly string[]) => {
          asked.push(names.length);
          return names.filter((name) => name === row.name);
        },
      } as never,
    },
    owners: {
      maxBytes,
      ask: async (_id, _what, request) => {
        if (request.length > maxBytes) throw new Error("larger than a server takes");
        return new Uint8Array(decodeHooks(request).length).fill(Outcome.stored);
      },
    },
    logger: noLogger,
    metrics: { hook: () => {} },
    ...(tracing && { tracing }),
    secretsOf,
  });
}

const body = Buffer.from("{}");
const unauthorized = expect.objectContaining({ code: "UNAUTHORIZED" });
const notFound = expect.objectContaining({ code: "NOT_FOUND" });

afterEach(() => {
  vi.useRealTimers();
});

test("Meta's question lets nobody in who does not sign, whatever name is asked for after it", async () => {
  const receiver = receiverOf(rowOf("orders", { scheme: "github", secrets: ["sign-so"], verify_token: "verify-me" }));
  await receiver.confirm("orders", "verify-me");
  for (const token of ["verify-you", "sign-so", ""])
    await expect(receiver.confirm("orders", token)).rejects.toEqual(unauthorized);
  const token = { headers: { authorization: "Bearer verify-me" }, body };
  for (const name of ["bearer orders", "orders ", "Orders"])
    await expect(receiver.receive(name, token, {})).rejects.toEqual(notFound);
  await expect(receiver.receive("orders", token, {})).rejects.toEqual(unauthorized);
});

test("no public key is taken for a token, nor a signing secret of a scheme that knows no tokens", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
  const secrets = [`whpk_${key}`, `whsec_${Buffer.alloc(24, 1).toString("base64")}`];
  const receiver = receiverOf(rowOf("orders", { scheme: "standard-webhooks", secrets }));
  for (const secret of secrets) {
    await expect(receiver.confirm("orders", secret)).rejects.toEqual(unauthorized);
    const token = { headers: { authorization: `Bearer ${secret}` }, body };
    await expect(receiver.receive("bearer orders", token, {})).rejects.toEqual(notFound);
    await expect(receiver.receive("orders", token, {})).rejects.toEqual(unauthorized);
  }
  // Strava signs nothing, and asks all the same.
  const asked = receiverOf(rowOf("asked", { scheme: "none", verify_token: "verify-me" }));
  await asked.confirm("asked", "verify-me");
  const open = receiverOf(rowOf("open", { scheme: "none" }));
  await expect(open.confirm("open", "")).rejects.toEqual(unauthorized);
  expect(await open.receive("open", { headers: {}, body }, {})).toBe("accepted");
});

test("an array of tiny elements goes to the owner in parts, each with its headers", async () => {
  const receiver = receiverOf(rowOf("open", { scheme: "none" }));
  const headers = { "content-type": "application/json", "x-large": "x".repeat(3_000) };
  const many = Buffer.from(JSON.stringify(Array.from({ length: 1_000 }, (_, n) => n)));
  expect(await receiver.receive("open", { headers, body: many }, {})).toBe("accepted");
});

test("a secret that was exchanged is refused after 5 seconds, after 5 minutes where it cannot be looked up", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
  let secrets: readonly string[] | undefined = ["old"];
  const receiver = receiverOf(rowOf("orders", { scheme: "bearer", secrets: ["x"] }), async () => {
    if (secrets === undefined) throw new Error("the vault is away");
    return secrets;
  });
  const send = (token: string) =>
    receiver.receive("orders", { headers: { authorization: `Bearer ${token}` }, body }, {});
  expect(await send("old")).toBe("accepted");
  secrets = ["new"];
  vi.setSystemTime(Date.now() + 5_001);
  await expect(send("old")).rejects.toEqual(unauthorized);
  expect(await send("new")).toBe("accepted");
  secrets = undefined;
  for (let minute = 0; minute < 4; minute++) {
    vi.setSystemTime(Date.now() + 60_000);
    expect(await send("new")).toBe("accepted");
  }
  vi.setSystemTime(Date.now() + 60_001);
  await expect(send("new")).rejects.toThrow(/cannot be looked up/);
  secrets = ["new"];
  expect(await send("new")).toBe("accepted");
});

test("of a flood of names the store is asked at once, and who sends to one that is there is taken on", async () => {
  const asked: (string | number)[] = [];
  const receiver = receiverOf(rowOf("open", { scheme: "none" }), undefined, asked);
  const flood = Array.from({ length: 300 }, (_, n) => receiver.exists(`none-${n % 100}`, true));
  const there = receiver.exists("open", true);
  for (const each of flood) await expect(each).rejects.toEqual(notFound);
  await there;
  expect(await receiver.receive("open", { headers: {}, body }, {})).toBe("accepted");
  expect(asked).toEqual([101, "open"]);
});

test("where nodes take little of each other, a record that does not fit with its headers is too large, and others go in parts", async () => {
  const receiver = receiverOf(rowOf("open", { scheme: "none" }), undefined, [], 60_000);
  const send = (text: string, more: Record<string, string> = {}) =>
    receiver.receive("open", { headers: { "content-type": "application/json", ...more }, body: Buffer.from(text) }, {});
  const large = JSON.stringify({ fill: "x".repeat(58_000) });
  expect(await send(large)).toBe("accepted");
  await expect(send(large, { "x-large": "x".repeat(3_000) })).rejects.toMatchObject({ statusCode: 413 });
  await expect(send(JSON.stringify("x".repeat(60_000)))).rejects.toMatchObject({ statusCode: 413 });
  expect(await send(JSON.stringify(Array.from({ length: 1_000 }, () => "x".repeat(500))))).toBe("accepted");
});

test("a request that is refused is no failure of its span, which would be exported whatever is sampled", async () => {
  const ended: unknown[] = [];
  const tracing: Tracing = { start: () => ({ traceparent: undefined, end: (error) => void ended.push(error) }) };
  const row = rowOf("orders", { scheme: "bearer", secrets: ["x"] });
  const receiver = receiverOf(row, undefined, [], 1024 * 1024, tracing);
  const send = (authorization: string, text: string) =>
    receiver.receive("orders", { headers: { authorization }, body: Buffer.from(text) }, {});
  await expect(send("Bearer y", "{}")).rejects.toEqual(unauthorized);
  await expect(send("Bearer x", "{")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  expect(ended).toEqual([undefined, undefined]);
  await expect(send("Bearer x", JSON.stringify("x".repeat(1024 * 1024)))).rejects.toMatchObject({ statusCode: 413 });
  expect(ended).toEqual([undefined, undefined, expect.any(Error)]);
});
