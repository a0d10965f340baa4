import { SourceMode } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { type Cursor, type Json, parseExact, type SourceOptions } from "../sdk/index.ts";
import {
  type Check,
  demand,
  demandList,
  demandSame,
  demandStated,
  errorOf,
  type Figures,
  type Subject,
  short,
} from "./check.ts";
import type { SourceFixture } from "./fixture.ts";
import { flat, quiet } from "./process.ts";
import { instanceOf, readCall } from "./raw.ts";
import { defaultAims, idsOf, open, readAll, recordsOf, textsOf } from "./read.ts";
import { validatorOf } from "./schema.ts";

/** Kills in one check: at every position of a small stream. */
const mostKills = { quick: 2, usual: 30 };
const cancelled = { quick: 20, usual: 100 };

/** A check of types that read; skipped where the fixture has no source. */
function reading(
  check: Pick<Check, "id" | "title" | "needs"> & {
    skip?(source: SourceFixture, subject: Subject): string | undefined;
    run(subject: Subject, source: SourceFixture): Promise<Figures | undefined>;
  },
): Check {
  const { skip, run, ...rest } = check;
  return {
    ...rest,
    skip: (subject) => {
      const { source } = subject.fixture;
      return source === undefined ? "nothing to read is given" : skip?.(source, subject);
    },
    run: (subject) => run(subject, subject.fixture.source!),
  };
}

export const sourceChecks: readonly Check[] = [
  reading({
    id: "discover.schema",
    title: "discover gives the stream with a schema that accepts its records",
    async run({ connector }, source) {
      await demandDescribed(await connector.discover(new AbortController().signal), source.stream, source.records);
      return undefined;
    },
  }),
  reading({
    id: "read.all",
    title: "every record is read once, in order",
    async run({ connector }, source) {
      const batches = await readAll(connector, source);
      demandList(recordsOf(batches), source.records, "the records");
      const ids = batches.flatMap(idsOf);
      demand(new Set(ids).size === ids.length, "two records have the same position");
      return { records: ids.length };
    },
  }),
  reading({
    id: "read.batches",
    title: "batches keep their aims, and their counts are those of their texts",
    async run({ connector }, source) {
      for (const aims of [
        { records: 1, bytes: 100_000 },
        { records: 3, bytes: 100_000 },
        { records: 500, bytes: 1_000 },
        { records: 500, bytes: 1 },
      ]) {
        const asked = `asked for ${aims.records} records and ${aims.bytes} bytes, a batch has`;
        const batches = await readAll(connector, source, null, aims);
        demandList(recordsOf(batches), source.records, `the records by batches of ${aims.records}`);
        for (const batch of batches.filter(({ count }) => count > 0)) {
          demandSame(textsOf(batch).length, batch.count, "the number of a batch's texts");
          demand(batch.count <= aims.records, `${asked} ${batch.count} records`);
          if (batch.count > 1) demand(batch.data.byteLength <= aims.bytes, `${asked} ${batch.data.byteLength} bytes`);
        }
      }
      return undefined;
    },
  }),
  reading({
    id: "read.positions",
    title: "a record keeps its position however batches are cut",
    async run({ connector }, source) {
      const whole = (await readAll(connector, source)).flatMap(idsOf);
      for (const records of [1, 2, 7]) {
        const cut = (await readAll(connector, source, null, { records, bytes: 100_000 })).flatMap(idsOf);
        demandList(cut, whole, `the positions by batches of ${records}`);
      }
      return undefined;
    },
  }),
  reading({
    id: "read.resume",
    title: "reading goes on exactly after any batch's cursor",
    async run({ connector }, source) {
      for (const records of [1, 4]) {
        const batches = await readAll(connector, source, null, { records, bytes: 100_000 });
        const ids = batches.flatMap(idsOf);
        let read = 0;
        for (const batch of batches) {
          read += batch.count;
          // A cursor comes back as JSON, whatever object it was.
          const cursor = parseExact(JSON.stringify(batch.cursor));
          const rest = await readAll(connector, source, cursor);
          demandList(recordsOf(rest), source.records.slice(read), `the records after the first ${read}`);
          demandList(rest.flatMap(idsOf), ids.slice(read), `the positions after the first ${read}`);
        }
      }
      return undefined;
    },
  }),
  reading({
    id: "read.together",
    title: "two readers of one stream do not disturb each other",
    async run({ connector }, source) {
      const both = await Promise.all(
        [1, 3].map((records) => readAll(connector, source, null, { records, bytes: 100_000 })),
      );
      for (const batches of both) demandList(recordsOf(batches), source.records, "the records of one of two readers");
      return undefined;
    },
  }),
  reading({
    id: "read.abort",
    title: "an abort ends the reading with an error, never as if the stream were read",
    async run({ connector }, source) {
      const controller = new AbortController();
      const opened = await open(connector, source, {
        batch: { ...defaultAims, records: 1 },
        signal: controller.signal,
      });
      const aborted = (async () => {
        for await (const _ of opened.read()) controller.abort(new Error("stopped by the check"));
      })();
      await errorOf(aborted, "a reading that was aborted");
      await opened.close();
      return undefined;
    },
  }),
  reading({
    id: "read.early",
    title: "a reader that leaves early may be closed",
    async run({ connector }, source) {
      const opened = await open(connector, source, { batch: { ...defaultAims, records: 1 } });
      for await (const _ of opened.read()) break;
      await opened.close();
      return undefined;
    },
  }),
  reading({
    id: "read.missing",
    title: "a stream that is not there is refused before anything is read, naming the setting",
    async run({ connector }, { missing, ...source }) {
      const opening = open(connector, source, { stream: missing?.stream ?? "any" });
      // Where every name is a stream there is nothing to refuse.
      if (missing === undefined) {
        await opening.then((opened) => opened.close());
        return undefined;
      }
      const error = await errorOf(opening, "opening a stream that is not there");
      demandStated(error, "opening a stream that is not there");
      demandSame({ path: error.path, fault: error.fault }, { path: missing.path, fault: "destination" }, error.message);
      return undefined;
    },
  }),
  reading({
    id: "read.credit",
    title: "nothing is sent without credit, and never more than it allows",
    needs: "plugin",
    async run({ plugin, fixture }, source) {
      const call = await readCall(plugin!, openOf(fixture.config, source, 2));
      try {
        await call.opened();
        let allowed = 0;
        for (const more of [0, 2, 2, 3]) {
          allowed += more;
          if (more > 0) call.credit(more);
          // A source may wait until it has credit for a whole batch of 2.
          const due = Math.min(source.records.length, allowed - 1);
          if (more > 0) await call.reaches(due);
          // What is sent without credit needs a moment to arrive.
          await new Promise((resolve) => setTimeout(resolve, 200));
          demand(call.records() <= allowed, `with credit for ${allowed} records it sent ${call.records()}`);
        }
      } finally {
        call.cancel();
      }
      return undefined;
    },
  }),
  reading({
    id: "read.kill",
    title:
      "killed after any record, it goes on behind the last cursor that was stored: nothing is lost, nothing is read twice",
    needs: "process",
    async run({ connector, plugin, quick }, source) {
      const whole = (await readAll(connector, source)).flatMap(idsOf);
      const step = Math.max(1, Math.ceil(source.records.length / (quick ? mostKills.quick : mostKills.usual)));
      const records: Json[] = [];
      const ids: string[] = [];
      let cursor: Cursor | null = null;
      let kills = 0;
      while (records.length < whole.length) {
        const opened = await open(connector, source, { from: cursor, batch: { records: step, bytes: 100_000 } });
        const before = records.length;
        for await (const batch of opened.read()) {
          records.push(...recordsOf([batch]));
          ids.push(...idsOf(batch));
          cursor = batch.cursor;
          if (batch.count > 0) break;
        }
        // More batches are on their way to us by now: they are lost with it.
        await plugin!.process!.kill();
        await opened.close();
        kills++;
        demand(records.length > before, `after ${before} of ${whole.length} records it gave no more`);
      }
      demandList(records, source.records, `the records over ${kills} kills`);
      demandList(ids, whole, `the positions over ${kills} kills`);
      // An incremental reading after the last record is the next one, which may ask again for the latest.
      if (source.mode === "full") {
        demandSame(recordsOf(await readAll(connector, source, cursor)), [], "what is read after the last record");
      }
      return { kills };
    },
  }),
  reading({
    id: "read.cancel",
    title: `${cancelled.usual} readings that are cancelled leave nothing behind: it takes calls, and rests`,
    needs: "plugin",
    async run(subject, source) {
      const { connector, plugin, fixture, quick } = subject;
      for (let i = 0; i < (quick ? cancelled.quick : cancelled.usual); i++) {
        const call = await readCall(plugin!, openOf(fixture.config, source, 1));
        await call.opened();
        // Half of them wait for credit, half are in the middle.
        if (i % 2 === 1) call.credit(2);
        call.cancel();
      }
      demandList(recordsOf(await readAll(connector, source)), source.records, "the records afterwards");
      await quiet(subject, "after the readings were cancelled");
      return undefined;
    },
  }),
  reading({
    id: "read.limited",
    title: "a far side that limits calls is waited for, or told of as RATE_LIMITED, and nothing is lost",
    needs: "more of the fixture",
    skip: ({ limited }) =>
      limited === undefined ? "no config is given with which the far side limits calls" : undefined,
    async run({ type, fixture }, source) {
      const connector = type.create(source.limited!, fixture.context);
      const records: Json[] = [];
      let cursor: Cursor | null = null;
      let limits = 0;
      try {
        for (;;) {
          try {
            const opened = await open(connector, source, { from: cursor });
            for await (const batch of opened.read()) {
              records.push(...recordsOf([batch]));
              cursor = batch.cursor;
            }
            await opened.close();
            break;
          } catch (error) {
            const { code, fault, message, retryAfterMs } = error as { [name: string]: unknown };
            demandSame(code, "RATE_LIMITED", `the code of a limit (${message})`);
            demandSame(fault, "transient", "whose fault a limit is");
            demand(++limits <= 20, "it was limited 20 times and came no further");
            await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, (retryAfterMs as number) ?? 50)));
          }
        }
      } finally {
        await connector.close();
      }
      demandList(records, source.records, "the records over the limits");
      return { limits };
    },
  }),
  reading({
    id: "read.memory",
    title: "reading much takes no more memory than reading little",
    needs: "process",
    async run(subject, source) {
      const { type, fixture, connector } = subject;
      const { config, stream = source.stream } = source.large ?? {};
      const reader = config === undefined ? connector : type.create(config, fixture.context);
      let records = 0;
      try {
        const figures = await flat(subject, async (enough) => {
          while (!enough()) {
            const opened = await open(reader, source, { stream });
            const before = records;
            for await (const batch of opened.read()) {
              records += batch.count;
              if (enough()) break;
            }
            await opened.close();
            demand(records > before, `stream ${stream} has no records`);
          }
        });
        return { ...figures, records, records_per_second: Math.round(records / figures.seconds!) };
      } finally {
        if (reader !== connector) await reader.close();
      }
    },
  }),
  reading({
    id: "read.drift",
    title: "records that change their shape are read on, and discover says so",
    needs: "more of the fixture",
    skip: ({ drift }) => (drift === undefined ? "no way is given to change the records' shape" : undefined),
    async run({ connector }, source) {
      await source.drift!();
      const records = recordsOf(await readAll(connector, source));
      const before = new Set(source.records.map((record) => JSON.stringify(record)));
      demand(records.length > 0, "nothing is read any more");
      demand(
        records.some((record) => !before.has(JSON.stringify(record))),
        "every record is as it was before the change",
      );
      await demandDescribed(await connector.discover(new AbortController().signal), source.stream, records);
      return { records: records.length };
    },
  }),
];

async function demandDescribed(
  streams: readonly { readonly name: string; readonly schema: Parameters<typeof validatorOf>[0] }[],
  stream: string,
  records: readonly Json[],
): Promise<void> {
  const found = streams.find(({ name }) => name === stream);
  demand(
    found !== undefined,
    `discover has no stream ${stream}, but ${streams.map(({ name }) => name).join(", ") || "none"}`,
  );
  const accepts = validatorOf(found.schema);
  const refused = records.find((record) => !accepts(record));
  demand(refused === undefined, `the schema of stream ${stream} refuses ${short(refused)}`);
}

function openOf(config: Json, { stream, mode, cursorField }: SourceFixture, batchRecords: number) {
  const modes: { readonly [M in SourceOptions["mode"]]: SourceMode } = {
    full: SourceMode.SOURCE_MODE_FULL,
    incremental: SourceMode.SOURCE_MODE_INCREMENTAL,
  };
  return {
    instance: instanceOf(config),
    stream,
    mode: modes[mode],
    cursorField: cursorField ?? "",
    cursor: "",
    batchRecords,
    batchBytes: defaultAims.bytes,
    endless: false,
  };
}
