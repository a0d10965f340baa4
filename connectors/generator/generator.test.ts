import { expect, test } from "vitest";
import { describeConnector, recordsOf, textsOf } from "../conformance/index.ts";
import type { JsonObject, ReadBatch, SourceOptions } from "../sdk/index.ts";
import { type GeneratorConfig, generator } from "./index.ts";

const context = { dataDir: "/", fileRoots: [] };

async function read(config: GeneratorConfig, options: Partial<SourceOptions> = {}): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for await (const batch of (await open(generator.create(config, context), options)).read()) batches.push(batch);
  return batches;
}

function open(connector: ReturnType<typeof generator.create>, options: Partial<SourceOptions> = {}) {
  return connector.openSource!({
    stream: "records",
    mode: "full",
    cursorField: undefined,
    from: null,
    batch: { records: 500, bytes: 100_000 },
    signal: new AbortController().signal,
    ...options,
  });
}

describeConnector(generator, async () => {
  const config = { count: 20, seed: 7 };
  return {
    context,
    config,
    badConfigs: [{ config: { template: { a: [{ b: "{{ nonsense }}" }] } }, path: "config.template.a[0].b" }],
    source: { stream: "records", mode: "full", records: recordsOf(await read(config)) },
    close: async () => {},
  };
});

test("the same seed gives the same records, another seed others", async () => {
  const [once, again, other] = await Promise.all([
    read({ count: 50, seed: 1 }),
    read({ count: 50, seed: 1 }),
    read({ count: 50, seed: 2 }),
  ]);
  expect(recordsOf(again!)).toEqual(recordsOf(once!));
  expect(recordsOf(other!)).not.toEqual(recordsOf(once!));
});

test("a text that is one hole takes the hole's type, and holes within a text are filled in place", async () => {
  const template = {
    n: "{{ index }}",
    int: "{{int 3 5}}",
    float: "{{ float 0 1 }}",
    bool: "{{ bool }}",
    text: 'no "{{ index }}" of {{ pick x\\y z"w }}\n',
    time: "{{ time }}",
    fixed: [1, null, true, { "odd key": "{}" }],
  };
  const [record] = recordsOf(await read({ count: 1, template })) as JsonObject[];
  expect(record).toMatchObject({ n: 0, time: "2025-01-01T00:00:00.000Z", fixed: [1, null, true, { "odd key": "{}" }] });
  expect([3, 4, 5]).toContain(record!.int);
  expect(record!.float).toBeTypeOf("number");
  expect(record!.bool).toBeTypeOf("boolean");
  expect(record!.text).toMatch(/^no "0" of (x\\y|z"w)\n$/);
});

test("a hole that lacks its arguments is refused", async () => {
  for (const hole of ["int", "int 5 1", "int 0.5 2", "float x y", "pick"]) {
    await expect(read({ template: { a: `{{ ${hole} }}` } })).rejects.toMatchObject({ path: "config.template.a" });
  }
});

test("records have the size asked for, and stay larger where the template is", async () => {
  for (const template of [{ id: "{{ index }}" }, {}, { long: "ü".repeat(300) }]) {
    const texts = (await read({ count: 12, size: 400, template })).flatMap(textsOf);
    for (const text of texts) expect(Buffer.byteLength(text)).toBe("long" in template ? 611 : 400);
    for (const text of texts) JSON.parse(text);
  }
});

test("the share of malformed and of repeated records is the one asked for", async () => {
  const texts = (await read({ count: 2_000, faults: { malformed: 0.1, duplicate: 0.25 } })).flatMap(textsOf);
  const broken = texts.filter((text) => !text.endsWith("}"));
  expect(broken.length).toBeGreaterThan(140);
  expect(broken.length).toBeLessThan(260);
  for (const text of broken) expect(() => JSON.parse(text)).toThrow(SyntaxError);
  const whole = (await read({ count: 2_000, faults: { duplicate: 0.25 } })).flatMap(textsOf);
  expect(new Set(whole).size).toBeGreaterThan(1_400);
  expect(new Set(whole).size).toBeLessThan(1_600);
});

test("an injected error comes once, before its record, and the next try passes", async () => {
  const connector = generator.create({ count: 10, faults: { error_at: [4] } }, context);
  const read: number[] = [];
  let from = null as ReadBatch["cursor"];
  const go = async () => {
    for await (const batch of (await open(connector, { from })).read()) {
      read.push(...recordsOf([batch]).map((record) => (record as { id: number }).id));
      from = batch.cursor;
    }
  };
  await expect(go()).rejects.toMatchObject({ code: "UNAVAILABLE", fault: "transient" });
  expect(read).toEqual([0, 1, 2, 3]);
  await go();
  expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a stalled source gives nothing more until it is aborted", async () => {
  const controller = new AbortController();
  const connector = generator.create({ faults: { stall_at: 3 } }, context);
  const reader = (await open(connector, { signal: controller.signal })).read()[Symbol.asyncIterator]();
  expect((await reader.next()).value).toMatchObject({ count: 3 });
  const next = reader.next();
  controller.abort(new Error("enough"));
  await expect(next).rejects.toThrow("enough");
});

test("a rate is kept over the whole stream", async () => {
  const begun = performance.now();
  const batches = await read({ count: 100, rate: 1_000 });
  expect(performance.now() - begun).toBeGreaterThanOrEqual(95);
  expect(batches.map((batch) => batch.count)).toEqual([50, 50]);
});
