import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { checkConfig } from "../../runtime/config/index.ts";
import { postgres } from "../postgres/index.ts";
import type { JsonObject } from "../sdk/index.ts";
import { nats } from "./index.ts";
import { Ranges, readThrough } from "./ranges.ts";

test("every example on the page is a valid configuration", () => {
  const page = readFileSync(new URL("../../docs/connectors/nats.md", import.meta.url), "utf8");
  const examples = Array.from(page.matchAll(/^```yaml\n(.*?)^```$/gms), ([, text]) => parse(text as string));
  expect(examples).toHaveLength(1);
  for (const example of examples as JsonObject[]) {
    const { errors } = checkConfig(example, {
      validator: createValidator(),
      types: [nats, postgres] as never,
      existing: new Map(),
      allConnectorsKnown: true,
      checkCron: () => undefined,
    });
    expect(errors).toEqual([]);
  }
});

test("what nodes work with is refused where a configuration names it", () => {
  const check = (streams: JsonObject, stream: string) =>
    checkConfig(
      {
        connectors: [{ name: "bus", type: "nats", config: { servers: ["nats://h"], streams } }],
        integrations: [
          {
            name: "i",
            source: { connector: "bus", stream },
            destination: { connector: "bus", stream, mode: "append" },
          },
        ],
      },
      {
        validator: createValidator(),
        types: [nats] as never,
        existing: new Map(),
        allConnectorsKnown: true,
        checkCron: () => undefined,
      },
    ).errors;
  for (const subject of ["sluice.>", "sluice", "sluice.out.{{ $.id }}", "$JS.API.>", "$JS.>", "$KV.sluice-nodes.a"]) {
    expect(check({ a: { subject } }, "a")).toMatchObject([
      { path: "connectors[0].config.streams.a.subject", message: expect.stringMatching(/outside sluice/) },
    ]);
    expect(check({}, subject)).toMatchObject([
      { path: "integrations[0].source.stream" },
      { path: "integrations[0].destination.stream" },
    ]);
  }
  expect(check({ a: { stream: "SLUICE_IN_1" } }, "a")).toMatchObject([
    { path: "connectors[0].config.streams.a.stream", message: expect.stringMatching(/another stream/) },
  ]);
  expect(check({}, "KV_sluice-nodes")).toHaveLength(2);
  for (const subject of ["sluices.>", ">", "*.sluice.x", "$JS.EVENT.ADVISORY.>", "$KV.mine.>", "{{ $.to }}"]) {
    expect(check({ a: { subject, stream: "ORDERS" } }, "a")).toEqual([]);
  }
});

test("what a durable consumer gave is known by ranges, which join where nothing lies between", () => {
  const ranges = new Ranges();
  ranges.add(5, undefined);
  ranges.add(9, 5);
  ranges.add(20, undefined);
  ranges.add(3, undefined);
  expect(JSON.parse(JSON.stringify(ranges))).toEqual([
    [3, 3],
    [5, 9],
    [20, 20],
  ]);
  expect([3, 4, 7, 10, 20].map((sequence) => ranges.has(sequence))).toEqual([true, false, true, false, true]);
  ranges.through(7);
  expect(ranges.toJSON()).toEqual([
    [1, 9],
    [20, 20],
  ]);
  ranges.through(15);
  expect(ranges.toJSON()).toEqual([
    [1, 15],
    [20, 20],
  ]);
  expect(readThrough(ranges.toJSON())).toBe(15);
  expect(readThrough([[3, 9]])).toBe(0);
  // What was given again fills the gaps.
  for (const sequence of [19, 16, 18, 17]) ranges.add(sequence, undefined);
  expect(ranges.toJSON()).toEqual([[1, 20]]);
  expect(ranges.end).toBe(20);
  // What is forgotten is read again: never more than so many are kept.
  for (let sequence = 100; sequence < 300; sequence += 2) ranges.add(sequence, undefined);
  expect(ranges.toJSON()).toHaveLength(64);
  expect([20, 298].map((sequence) => ranges.has(sequence))).toEqual([true, true]);
});
