import { isDeepStrictEqual } from "node:util";
import { isExact } from "../sdk/exact.ts";
import {
  type ConnectorType,
  type Destination,
  type DestinationMode,
  type Json,
  type JsonObject,
  type OutRecord,
  parseExact,
  type WriteBatch,
} from "../sdk/index.ts";
import { type Check, demand, demandList, demandSame, type Figures, type Subject, short } from "./check.ts";
import type { DestinationFixture } from "./fixture.ts";
import { flat, quiet } from "./process.ts";

const cancelled = 20;
const mostTries = 20;
const memoryBatch = 500;
let runs = 0;

/** What a check of one mode is given. */
interface Writing {
  readonly subject: Subject;
  readonly to: DestinationFixture;
  readonly mode: DestinationMode;
  /** Opens the destination in the check's run; with the connector of another config where one is given. */
  open(state?: Json | null, connector?: Subject["connector"]): Promise<Destination>;
  /** What the far side holds, sorted; undefined where nobody can look. */
  stored(): Promise<string[] | undefined>;
}

type ModeCheck = Pick<Check, "title" | "needs"> & {
  readonly name: string;
  skip?(to: DestinationFixture, mode: DestinationMode): string | undefined;
  run(writing: Writing): Promise<Figures | undefined>;
};

const checks: readonly ModeCheck[] = [
  {
    name: "all",
    title: "what was written and completed is there, once",
    async run({ to, open, stored }) {
      const destination = await open();
      for (let at = 0; at < to.records.length; at += 2) {
        const result = await destination.write(batchOf(to.records.slice(at, at + 2)));
        demandSame(result.failed ?? [], [], "the records that failed");
      }
      await destination.complete();
      await destination.close();
      demandStored(await stored(), to.records);
      return undefined;
    },
  },
  {
    name: "complete",
    title: "complete may be called again after a restart",
    async run({ to, open, stored }) {
      const first = await open();
      const { state } = await first.write(batchOf(to.records));
      await first.complete();
      await first.close();
      const second = await open(state ?? null);
      await second.complete();
      await second.close();
      demandStored(await stored(), to.records);
      return undefined;
    },
  },
  {
    name: "crash",
    title: "after a crash nothing that was confirmed is lost",
    run: (writing) => crash(writing, async () => {}),
  },
  {
    name: "kill",
    title: "killed after any write, nothing that was confirmed is lost",
    needs: "process",
    run: async (writing) => {
      await crash(writing, () => writing.subject.plugin!.process!.kill());
      return { kills: 2 };
    },
  },
  {
    name: "empty",
    title: "a run without records completes",
    async run({ open, stored }) {
      const destination = await open();
      await destination.complete();
      await destination.close();
      demandStored(await stored(), []);
      return undefined;
    },
  },
  {
    name: "refused",
    title: "a record that is refused fails alone",
    async run({ to, open, stored }) {
      const { refused } = to;
      const batch = [to.records[2]!, ...(refused === undefined ? [] : [refused]), to.records[3]!];
      const destination = await open();
      await destination.write(batchOf(to.records.slice(0, 2)));
      const { failed = [] } = await destination.write(batchOf(batch));
      demandSame(
        failed.map(({ index }) => index),
        refused === undefined ? [] : [1],
        "the records that failed",
      );
      for (const { message } of failed) demand(message !== "", "a record failed without a message");
      await destination.complete();
      await destination.close();
      demandStored(await stored(), to.records.slice(0, 4));
      return undefined;
    },
  },
  {
    name: "together",
    title: "as many batches are under way at once as it takes, and each is answered",
    async run({ to, open, stored }) {
      const destination = await open();
      const { concurrency } = destination;
      demand(Number.isInteger(concurrency) && concurrency >= 1, `it takes ${concurrency} batches at once`);
      for (let at = 0; at < to.records.length; at += concurrency) {
        const several = to.records.slice(at, at + concurrency);
        const results = await Promise.all(several.map((record) => destination.write(batchOf([record]))));
        demandSame(
          results.flatMap(({ failed = [] }) => failed),
          [],
          "the records that failed",
        );
      }
      await destination.complete();
      await destination.close();
      demandStored(await stored(), to.records);
      return { concurrency };
    },
  },
  {
    name: "drift",
    title: "a record of another shape is written or refused by itself: those beside it are written",
    async run({ to, open, stored }) {
      const [first, second, third] = to.records as readonly [JsonObject, JsonObject, JsonObject];
      const drifted = Object.fromEntries(
        Object.entries(third).map(([name, value]) => [name, otherShape(value, name, to)]),
      );
      const destination = await open();
      const { failed = [] } = await destination.write(batchOf([first, { ...drifted, sluice_drift: [{}] }, second]));
      const wrong = failed.filter(({ index }) => index !== 1);
      demand(wrong.length === 0, `record ${wrong[0]?.index} failed for the one of another shape: ${wrong[0]?.message}`);
      await destination.complete();
      await destination.close();
      const found = (await stored())?.map((text) => parseExact(text) as JsonObject);
      for (const wanted of found === undefined ? [] : [first, second]) {
        // A far side may have given the others the new member, too.
        const isThere = found!.some((record) =>
          Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(record[name], value)),
        );
        demand(isThere, `a record beside the one of another shape is not there: ${short(wanted)}`);
      }
      return { refused: failed.length };
    },
  },
  {
    name: "cancel",
    title: `${cancelled} writes that are cancelled leave nothing behind: it takes others, and rests`,
    needs: "plugin",
    async run({ subject, to, open, stored }) {
      for (let i = 0; i < cancelled; i++) {
        const destination = await open();
        const controller = new AbortController();
        const write = destination.write({ ...batchOf(to.records), signal: controller.signal }).catch(() => undefined);
        // Some before they have arrived, some in the middle, some when they are done.
        await new Promise((resolve) => setTimeout(resolve, i));
        controller.abort(new Error("cancelled by the check"));
        await write;
        await destination.close();
      }
      await quiet(subject, "after the writes were cancelled");
      await to.clear();
      const destination = await open();
      demandSame((await destination.write(batchOf(to.records))).failed ?? [], [], "the records that failed afterwards");
      await destination.complete();
      await destination.close();
      const found = await stored();
      demandAll(found, to.records);
      return undefined;
    },
  },
  {
    name: "limited",
    title: "a far side that limits calls is waited for, or told of as RATE_LIMITED, and nothing is lost",
    needs: "more of the fixture",
    skip: ({ limited }) =>
      limited === undefined ? "no config is given with which the far side limits calls" : undefined,
    async run({ subject: { type, fixture }, to, open, stored }) {
      const connector = type.create(to.limited!, fixture.context);
      let limits = 0;
      try {
        const destination = await open(null, connector);
        let left = to.records;
        for (let tries = 0; left.length > 0; tries++) {
          demand(tries < mostTries, `after ${tries} tries ${left.length} records are still not written`);
          const { again, waitMs } = await limitedWrite(destination, left);
          if (again.length > 0) limits++;
          left = again;
          await new Promise((resolve) => setTimeout(resolve, again.length > 0 ? waitMs : 0));
        }
        await destination.complete();
        await destination.close();
      } finally {
        await connector.close();
      }
      const found = await stored();
      demandAll(found, to.records);
      return { limits };
    },
  },
  {
    name: "memory",
    title: "writing much takes no more memory than writing little",
    needs: "process",
    async run({ subject, to, open }) {
      const destination = await open();
      let written = 0;
      const figures = await flat(subject, async (enough) => {
        for (let round = 0; !enough(); round++) {
          const { failed = [] } = await destination.write(batchOf(manyOf(to, round)));
          written += memoryBatch - failed.length;
        }
      });
      await destination.complete();
      await destination.close();
      await to.clear();
      return { ...figures, records: written, records_per_second: Math.round(written / figures.seconds!) };
    },
  },
];

/** What types that write are tried for, in each of their modes. */
export function destinationChecks(type: ConnectorType): Check[] {
  const { modes = [] } = type.capabilities.destination ?? {};
  return modes.flatMap((mode) =>
    checks.map(
      ({ name, title, needs, skip, run }): Check => ({
        id: `write.${mode}.${name}`,
        title: `${title} (${mode})`,
        ...(needs && { needs }),
        skip: ({ fixture: { destination } }) => {
          if (destination === undefined) return "nothing to write is given";
          if (!destination.modes.includes(mode)) return `mode ${mode} is not to be tried`;
          return skip?.(destination, mode);
        },
        run: async (subject) => {
          const to = subject.fixture.destination!;
          const runId = `00000000-0000-7000-8000-${String(++runs).padStart(12, "0")}`;
          await to.clear();
          return run({
            subject,
            to,
            mode,
            open: (state = null, connector = subject.connector) => {
              const signal = new AbortController().signal;
              return connector.openDestination!({ stream: to.stream, mode, key: to.key ?? [], runId, state, signal });
            },
            stored: async () => to.stored && sorted(await to.stored()),
          });
        },
      }),
    ),
  );
}

/** Written by halves, and ended after each without a word; the second half comes again, since its state was not stored. */
async function crash({ to, mode, open, stored }: Writing, end: () => Promise<void>): Promise<undefined> {
  const half = to.records.length >> 1;
  const first = await open();
  const { state } = await first.write(batchOf(to.records.slice(0, half)));
  await end();
  await first.close();
  const second = await open(state ?? null);
  await second.write(batchOf(to.records.slice(half)));
  await end();
  await second.close();
  const third = await open(state ?? null);
  await third.write(batchOf(to.records.slice(half)));
  await third.complete();
  await third.close();
  const found = await stored();
  if (found === undefined) return undefined;
  // Without a state to go on from, replace begins anew by its nature; append needs the type's word for it.
  if (mode === "upsert" || to.exactlyOnce?.includes(mode)) demandStored(found, to.records);
  else demandAll(found, to.records);
  return undefined;
}

/** One try: the records that are to be tried again, and how long to wait before. */
async function limitedWrite(destination: Destination, records: readonly JsonObject[]) {
  const waitOf = (ms: unknown) => Math.min(1_000, typeof ms === "number" ? ms : 50);
  try {
    const { failed = [], left = [] } = await destination.write(batchOf(records));
    const [other] = failed.filter(({ code }) => code !== "RATE_LIMITED");
    demand(other === undefined, `a record that was limited is ${other?.code}: ${other?.message}`);
    const again = [...failed.map(({ index }) => index), ...left].map((index) => records[index]!);
    return { again, waitMs: waitOf(failed[0]?.retryAfterMs) };
  } catch (error) {
    const { code, message, retryAfterMs } = error as Error & { [name: string]: unknown };
    demandSame(code, "RATE_LIMITED", `the code of a limit (${message})`);
    return { again: records, waitMs: waitOf(retryAfterMs) };
  }
}

/** Texts become objects and all else becomes text, save in the key. */
function otherShape(value: Json, name: string, { key = [] }: DestinationFixture): Json {
  if (key.includes(name)) return value;
  return typeof value === "string" ? { was: "text" } : "another";
}

/** A batch whose keys are its own: no two batches have one in common. */
function manyOf({ records, key = [] }: DestinationFixture, round: number): JsonObject[] {
  return Array.from({ length: memoryBatch }, (_, index) => {
    const record = records[index % records.length]!;
    const number = round * memoryBatch + index;
    const own = key.flatMap((name) => (name in record ? [[name, keyed(record[name]!, number)]] : []));
    return { ...record, ...Object.fromEntries(own) };
  });
}

function keyed(value: Json, number: number): Json {
  return typeof value === "number" ? 1_000 + number : typeof value === "string" ? `${value}-${number}` : value;
}

function demandStored(found: readonly string[] | undefined, wanted: readonly JsonObject[]): void {
  if (found !== undefined) demandList(found, sorted(wanted), "the records on the far side");
}

/** Each of them once at least. */
function demandAll(found: readonly string[] | undefined, wanted: readonly JsonObject[]): void {
  if (found !== undefined) demandStored([...new Set(found)], wanted);
}

function batchOf(records: readonly JsonObject[]): WriteBatch {
  const made = records.map((value): OutRecord => {
    const text = JSON.stringify(value);
    return { value, text, id: text };
  });
  return { records: made, signal: new AbortController().signal };
}

function sorted(records: readonly Json[]): string[] {
  return records.map((record) => JSON.stringify(record, keysInOrder)).sort();
}

/** A far side may hand members back in its own order. */
function keysInOrder(_name: string, value: Json): Json {
  if (value === null || typeof value !== "object" || Array.isArray(value) || isExact(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
