import { expect, onTestFinished, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { type TapInterest, type Tapped, tapInterests, tapped } from "../runtime/ports/taps.ts";
import { Taps } from "./taps.ts";

/** Nodes' messages within one process. */
function messages() {
  const listeners = new Map<string, ((message: Json) => void)[]>();
  return {
    publish: (subject: string, message: Json) => {
      for (const listener of listeners.get(subject) ?? []) listener(JSON.parse(JSON.stringify(message)) as Json);
    },
    subscribe: (subject: string, listener: (message: Json) => void) => {
      listeners.set(subject, [...(listeners.get(subject) ?? []), listener]);
      return () => void listeners.delete(subject);
    },
  };
}

function started() {
  const cluster = messages();
  const taps = new Taps({
    cluster,
    redact: (text, owner) => (owner === "others" ? text : text.replaceAll("hunter2", "***")),
  });
  taps.start();
  onTestFinished(() => taps.stop());
  const next = (id: string) => {
    const heard = Promise.withResolvers<Tapped>();
    cluster.subscribe(tapped(id), (message) => heard.resolve(message as unknown as Tapped));
    return heard.promise;
  };
  const listen = (more: Partial<TapInterest>) => {
    const interest = { id: "t", integrationId: "i", owner: null, step: null, destination: null, where: null, ...more };
    const heard = next(interest.id);
    cluster.publish(tapInterests, interest);
    return heard;
  };
  return { cluster, taps, listen, next };
}

const flow = (count: number) => ({
  origins: Array.from({ length: count }, (_, n) => n),
  values: Array.from({ length: count }, (_, n) => ({ n, password: "hunter2" })),
});
const recordId = (origin: number) => `r${origin}`;

test("nobody is told of an integration that nobody listens to, nor after a listener has gone", () => {
  const { cluster, taps, listen } = started();
  expect(taps.of("i")).toBeUndefined();
  void listen({});
  expect(taps.of("another")).toBeUndefined();
  expect(taps.of("i")).toBeDefined();
  cluster.publish(tapInterests, { id: "t", integrationId: "i", ended: true });
  expect(taps.of("i")).toBeUndefined();
});

test("a listener gets its share without secrets, and is told how many there were besides", async () => {
  const { taps, listen } = started();
  const heard = listen({});
  taps.of("i")?.read(flow(500), recordId);
  const { records, skipped } = await heard;
  expect([records.length, records.length + skipped]).toEqual([20, 500]);
  expect(records[0]).toMatchObject({ point: "source", at: "source", recordId: "r0", text: '{"n":0,"password":"***"}' });
});

test("of a team's integration that team's secrets are taken out, and not those of others, which it could guess at", async () => {
  const { taps, listen } = started();
  const heard = listen({ owner: "others" });
  taps.of("i")?.read(flow(1), recordId);
  expect((await heard).records[0]?.text).toBe('{"n":0,"password":"hunter2"}');
});

test("what is read first leaves room for what steps and destinations give", async () => {
  const { taps, listen, next } = started();
  const heard = listen({});
  const pass = () => {
    taps.of("i")?.read(flow(500), recordId);
    for (const step of ["one", "two"]) taps.of("i")?.observe(recordId)(step, flow(500), flow(500));
    taps.of("i")?.written(
      "crm",
      flow(500).values.map((value, n) => ({ id: `r${n}`, text: "{}", value })),
      [],
    );
  };
  pass();
  await heard;
  // By now it is known which there are.
  const again = next("t");
  pass();
  const { records, skipped } = await again;
  const counts = ["source", "one", "two", "crm"].map((name) => records.filter(({ at }) => at === name).length);
  expect([counts, records.length + skipped]).toEqual([[5, 5, 5, 5], 2_000]);
});

test("what the server takes in no message is counted as left out, and the node goes on", async () => {
  const { cluster, taps, listen } = started();
  const { publish } = cluster;
  cluster.publish = (subject, message) => {
    if (JSON.stringify(message).length > 500) throw new Error("max_payload size exceeded");
    publish(subject, message);
  };
  const heard = listen({});
  taps.of("i")?.read(flow(30), recordId);
  expect(await heard).toEqual({ records: [], skipped: 30 });
});

test("a listener to a step hears what it gives and where a route sends it, and of a predicate what it holds of", async () => {
  const { taps, listen } = started();
  const heard = listen({ step: "route", where: "$.n == 3 || $.n == 4" });
  const tap = taps.of("i")!;
  tap.read(flow(10), recordId);
  tap.observe(recordId)("route", flow(10), new Map([["left", flow(5)]]));
  const { records, skipped } = await heard;
  expect(records.map(({ at, to, recordId: id }) => [at, to, id])).toEqual([
    ["route", "left", "r3"],
    ["route", "left", "r4"],
  ]);
  expect(skipped).toBe(0);
});

test("what a destination has refused is told with its reason", async () => {
  const { taps, listen } = started();
  const heard = listen({ destination: "crm" });
  const records = [{ id: "a", text: "{}", value: {} }];
  const undelivered = [{ index: 0, code: "CONFLICT" as const, message: "it is hunter2", attempts: [], retryInMs: 5 }];
  taps.of("i")?.written("crm", records, undelivered);
  expect((await heard).records).toMatchObject([
    {
      point: "destination",
      at: "crm",
      recordId: "a",
      failure: { code: "CONFLICT", message: "it is ***", retryInMs: 5 },
    },
  ]);
});
