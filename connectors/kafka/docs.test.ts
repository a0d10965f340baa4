// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { checkConfig } from "../../runtime/config/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import type { JsonObject } from "../sdk/index.ts";
import { type KafkaConfig, kafka } from "./index.ts";

const page = readFileSync(new URL("../../docs/connectors/kafka.md", import.meta.url), "utf8");
const signal = new AbortController().signal;
const open = (config: KafkaConfig, stream: string) =>
  kafka.create(config, { dataDir: "/", fileRoots: [], expressions }).openDestination!({
    stream,
    mode: "append",
    key: [],
    runId: "run",
    state: null,
    signal,
  });

test("every example on the page is a valid configuration", () => {
  const examples = Array.from(
    page.matchAll(/^```yaml\n(.*?)^```$/gms),
    ([, text]) => parse(text as string) as JsonObject,
  );
  expect(examples).toHaveLength(2);
  for (const example of examples) {
    const { errors } = checkConfig(example, {
      validator: createValidator(),
      types: [kafka as never],
      existing: new Map(),
      allConnectorsKnown: true,
      checkCron: () => undefined,
    });
    expect(errors).toEqual([]);
  }
});

test("metrics name the cluster by the first of the brokers that are given", () => {
  const context = { dataDir: "/", fileRoots: [], expressions, kafkaBrokers: ["here:9092"] };
  expect(kafka.create({ brokers: ["a:1", "b:2"] }, context).provider).toBe("a:1");
  expect(kafka.create({}, context).provider).toBe("here:9092");
});

test("settings that contradict each other are refused by their path before anything is connected", async () => {
  const brokers = ["127.0.0.1:1"];
  const both = { brokers, streams: { a: { topic: "x", pattern: "y" } } };
  await expect(open(both, "a")).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "config.streams.a.pattern" });
  const pattern = { brokers, streams: { a: { pattern: "(" } } };
  await expect(open(pattern, "a")).rejects.toMatchObject({ path: "config.streams.a.pattern" });
  const value = { brokers, cloudevents: { source: "/a", type: "b" }, write: { value: "{{ $.a }}" } };
  await expect(open(value, "a")).rejects.toMatchObject({ path: "config.write.value" });
  await expect(open({ brokers, write: { key: "{{ $. }}" } }, "a")).rejects.toMatchObject({ path: "config.write.key" });
  await expect(open({}, "a")).rejects.toMatchObject({ path: "config.brokers" });
});
