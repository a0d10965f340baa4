import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientReadableStream, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ControlServiceClient } from "../../proto/gen/sluice/control/v1/control.ts";
import { TapPoint, type TappedRecord, type TapResponse } from "../../proto/gen/sluice/control/v1/tap.ts";
import { Group, ownedBy, ownNats } from "../chaos/suite/group.ts";
import { sluice } from "../support/cli.ts";
import type { TestNode } from "../support/node.ts";
import { as, clientOf, failureOf } from "./support.ts";

const ends: (() => unknown)[] = [];
let nodes: readonly TestNode[];
let owner: TestNode;
let other: TestNode;
let id: string;

/** Two nodes, one of which has an integration that runs all the time. */
beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  ({ nodes } = await Group.start(2, atEnd, (await ownNats(atEnd)).url));
  const [first] = nodes as [TestNode];
  const template = { n: "{{ index }}", known: nodes.map(({ token }) => token).join(" ") };
  await first.api.connector("numbers", "generator", { rate: 200, template });
  await first.api.connector("nowhere", "blackhole", {});
  id = await first.api.integration({
    name: "endless",
    source: { connector: "numbers", stream: "numbers" },
    destination: { id: "sink", connector: "nowhere", stream: "all" },
    pipeline_spec: {
      steps: [
        { id: "even", type: "filter", where: "$.n != 1" },
        {
          id: "shape",
          type: "map",
          mapping: [
            { source: "$.n", destination: "number" },
            { source: "$.known", destination: "known" },
          ],
        },
      ],
    },
  });
  await first.api.run(id);
  const owning = async () => {
    const has = await Promise.all(nodes.map(async (node) => (await ownedBy(node)).has("endless")));
    return has.filter(Boolean).length === 1 && nodes[has.indexOf(true)];
  };
  owner = await vi.waitUntil(owning, { timeout: 200_000, interval: 100 });
  other = nodes.find((node) => node !== owner) as TestNode;
}, 240_000);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, 120_000);

const clientFor = (node: TestNode): ControlServiceClient =>
  clientOf(new URL(readFileSync(join(node.dataDir, "grpc-url"), "utf8").trim()).host);

const any = { step: undefined, destination: undefined, filter: undefined, limit: undefined };

/** Records until there are as many as wanted; the stream ends then. */
async function first(stream: ClientReadableStream<TapResponse>): Promise<TappedRecord[]> {
  const seen: TappedRecord[] = [];
  for await (const { records } of stream as AsyncIterable<TapResponse>) seen.push(...records);
  return seen;
}

test("records are seen at each point of their way, without secrets, from the node that does not run them", async () => {
  for (const node of [other, owner]) {
    const client = clientFor(node);
    const seen = await first(client.tap({ ...any, id, limit: 400 }, as(node.token)));
    expect(seen).toHaveLength(400);
    expect(new Set(seen.map(({ point, at }) => `${point} ${at}`))).toEqual(
      new Set([
        `${TapPoint.TAP_POINT_SOURCE} source`,
        `${TapPoint.TAP_POINT_STEP} even`,
        `${TapPoint.TAP_POINT_STEP} shape`,
        `${TapPoint.TAP_POINT_DESTINATION} sink`,
      ]),
    );
    const read = seen.find(({ at }) => at === "source") as TappedRecord;
    expect(JSON.parse(read.recordJson)).toEqual({ n: expect.any(Number), known: expect.stringContaining("***") });
    const given = seen.filter(({ at }) => at === "sink");
    for (const { recordJson, recordId, failure } of given) {
      expect(JSON.parse(recordJson)).toHaveProperty("number");
      expect([recordId, failure]).toEqual([expect.stringMatching(/./), undefined]);
    }
    // The token of the node that runs them is known there as a secret.
    expect(JSON.stringify(seen.map(({ recordJson }) => recordJson))).not.toContain(owner.token);
  }
}, 240_000);

test("a tap listens to one step or destination, and to records of which a predicate holds", async () => {
  const client = clientFor(other);
  const wanted = { ...any, id, step: "shape", filter: "$.number > 10", limit: 50 };
  const seen = await first(client.tap(wanted, as(other.token)));
  expect(seen).toHaveLength(50);
  for (const { at, recordJson } of seen) {
    expect([at, JSON.parse(recordJson).number > 10]).toEqual(["shape", true]);
  }
  for (const [wrong, field] of [
    [{ step: "shpae" }, "step"],
    [{ destination: "nowhere" }, "destination"],
    [{ filter: "$.n >" }, "filter"],
    [{ limit: -1 }, "limit"],
  ] as const) {
    const failed = await failureOf(first(client.tap({ ...any, id, ...wrong }, as(other.token))));
    expect([field, failed.code]).toEqual([field, status.INVALID_ARGUMENT]);
    expect(failed.BadRequest.fieldViolations).toMatchObject([{ field }]);
  }
}, 240_000);

test("what is beyond a listener's share is counted, and a listener that goes is forgotten", async () => {
  const client = clientFor(other);
  const stream = client.tap({ ...any, id }, as(other.token));
  let skipped = 0n;
  for await (const part of stream as AsyncIterable<TapResponse>) if ((skipped += part.skipped) > 0n) break;
  expect(skipped).toBeGreaterThan(0n);
  const cancelled = client.tap({ ...any, id }, as(other.token));
  await once(cancelled, "data");
  cancelled.cancel();
  expect(await failureOf(first(cancelled))).toMatchObject({ code: status.CANCELLED });
}, 240_000);

test("sluice tap prints records as they pass, a line of JSON each", async () => {
  const args = ["tap", "endless", "--destination", "sink", "--filter", "$.number >= 0", "--limit", "5"];
  const { code, stdout, stderr } = await sluice(other, ...args);
  expect([code, stderr]).toEqual([0, expect.stringContaining("listening")]);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatchObject({ point: "destination", at: "sink", record: { number: expect.any(Number) } });
  expect(await sluice(other, "tap", "endless", "--step", "nothing")).toMatchObject({ code: 2, stdout: "" });
  expect(await sluice(other, "tap", "nobody")).toMatchObject({ code: expect.any(Number), stdout: "" });
}, 240_000);
