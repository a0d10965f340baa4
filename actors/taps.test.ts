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
  const taps = new Taps({ cluster, redact: (text) => text.replaceAll("hunter2", "***") });
  taps.start();
  onTestFinished(() => taps.stop());
  const listen = (more: Partial<TapInterest>) => {
    const interest = { id: "t", integrationId: "i", step: null, destination: null, where: null, ...more };
    const heard = Promise.withResolvers<Tapped>();
    cluster.subscribe(tapped(interest.id), (message) => heard.resolve(message as unknown as Tapped));
    cluster.publish(tapInterests, interest);
    return heard.promise;
  };
  return { cluster, taps, listen };
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
