import { describe, expect, test } from "vitest";
import type { Connector, ConnectorType } from "../sdk/index.ts";
import type { Fixture, SourceFixture } from "./fixture.ts";
import { defaultAims, idsOf, open, readAll, recordsOf, textsOf } from "./read.ts";
import { validatorOf } from "./schema.ts";

/** The part of the suite for types that read. */
export function describeSource<Config>(
  type: ConnectorType<Config>,
  made: () => { connector: Connector; fixture: Fixture },
): void {
  if (!type.capabilities.source) return;
  const given = (): { connector: Connector; source: SourceFixture } => {
    const { connector, fixture } = made();
    if (!fixture.source) throw new Error(`The fixture of ${type.type} has no source although the type reads.`);
    return { connector, source: fixture.source };
  };

  describe("as a source", () => {
    test("discover gives the stream with a schema that accepts its records", async () => {
      const { connector, source } = given();
      const streams = await connector.discover(new AbortController().signal);
      const found = streams.find((stream) => stream.name === source.stream);
      expect(streams.map((stream) => stream.name)).toContain(source.stream);
      const accepts = validatorOf(found!.schema);
      expect(source.records.filter((record) => !accepts(record))).toEqual([]);
    });

    test("every record is read once, in order", async () => {
      const { connector, source } = given();
      const batches = await readAll(connector, source);
      expect(recordsOf(batches)).toEqual(source.records);
      const ids = batches.flatMap(idsOf);
      expect(new Set(ids).size).toBe(ids.length);
    });

    test("batches keep their aims, and their counts are those of their texts", async () => {
      const { connector, source } = given();
      for (const aims of [
        { records: 1, bytes: 100_000 },
        { records: 3, bytes: 100_000 },
        { records: 500, bytes: 1_000 },
        { records: 500, bytes: 1 },
      ]) {
        const batches = await readAll(connector, source, null, aims);
        expect(recordsOf(batches)).toEqual(source.records);
        for (const batch of batches) {
          expect(batch.count).toBeGreaterThan(0);
          expect(batch.count).toBe(textsOf(batch).length);
          expect(batch.count).toBeLessThanOrEqual(aims.records);
          if (batch.count > 1) expect(batch.data.byteLength).toBeLessThanOrEqual(aims.bytes);
        }
      }
    });

    test("a record keeps its position however batches are cut", async () => {
      const { connector, source } = given();
      const whole = (await readAll(connector, source)).flatMap(idsOf);
      for (const records of [1, 2, 7]) {
        const cut = (await readAll(connector, source, null, { records, bytes: 100_000 })).flatMap(idsOf);
        expect(cut).toEqual(whole);
      }
    });

    test("reading goes on exactly after any batch's cursor", async () => {
      const { connector, source } = given();
      for (const records of [1, 4]) {
        const batches = await readAll(connector, source, null, { records, bytes: 100_000 });
        const ids = batches.flatMap(idsOf);
        let read = 0;
        for (const batch of batches) {
          read += batch.count;
          // A cursor comes back as JSON, whatever object it was.
          const cursor = JSON.parse(JSON.stringify(batch.cursor)) as typeof batch.cursor;
          const rest = await readAll(connector, source, cursor);
          expect(recordsOf(rest)).toEqual(source.records.slice(read));
          expect(rest.flatMap(idsOf)).toEqual(ids.slice(read));
        }
      }
    });

    test("an abort ends the reading with an error, never as if the stream were read", async () => {
      const { connector, source } = given();
      const controller = new AbortController();
      const opened = await open(connector, source, {
        batch: { ...defaultAims, records: 1 },
        signal: controller.signal,
      });
      const reading = (async () => {
        for await (const _ of opened.read()) controller.abort(new Error("stopped by the test"));
      })();
      await expect(reading).rejects.toThrow();
      await opened.close();
    });

    test("a reader that leaves early may be closed", async () => {
      const { connector, source } = given();
      const opened = await open(connector, source, { batch: { ...defaultAims, records: 1 } });
      for await (const _ of opened.read()) break;
      await opened.close();
    });

    test("a stream that is not there is refused before anything is read, naming the setting", async () => {
      const { connector, source } = given();
      const { missing } = source;
      const opening = open(connector, source, { stream: missing?.stream ?? "any" });
      // Where every name is a stream there is nothing to refuse.
      if (missing === undefined) return expect(opening).resolves.toBeDefined();
      const error: unknown = await opening.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: expect.any(String), fault: expect.any(String) });
      expect(error).toMatchObject({ path: missing.path, fault: "destination" });
    });
  });
}
