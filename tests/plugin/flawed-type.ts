import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  batchOf,
  type Connector,
  ConnectorError,
  type ConnectorType,
  type Destination,
  type Json,
  type JsonObject,
  parseExact,
  type Source,
  type SourceOptions,
  type WriteBatch,
} from "../../connectors/sdk/index.ts";

/** What is wrong with it: one at a time. */
export const flaws = {
  "an odd version": "spec.identity",
  "no sentence as description": "spec.identity",
  "an open config": "spec.config",
  "a member that is not described": "spec.config",
  "a password that is shown": "spec.secrets",
  "a check that refuses what works": "check.good",
  "a check that takes anything": "check.bad",
  "a check that names another setting": "check.bad",
  "a wrong password as a defect": "check.credential",
  "a stream twice": "discover.streams",
  "a schema that is none": "discover.streams",
  "a schema of something else": "discover.schema",
  "a record left out": "read.all",
  "a record read twice": "read.all",
  "batches of any size": "read.batches",
  "positions by batch": "read.positions",
  "a cursor before its records": "read.resume",
  "a cursor behind its records": "read.resume",
  "a cursor that loses digits": "read.resume",
  "one place for all readers": "read.together",
  "an end where it was aborted": "read.abort",
  "an empty stream for a missing one": "read.missing",
  "a limit as a defect": "read.limited",
  "records lost at a limit": "read.limited",
  "a stop at a new field": "read.drift",
  "a schema of before": "read.drift",
  "a record not written": "write.append.all",
  "a record written twice": "write.append.all",
  "one complete only": "write.append.complete",
  "records confirmed and held in memory": "write.append.crash",
  "no run without records": "write.append.empty",
  "a refused record that takes all along": "write.append.refused",
  "two batches at once that collide": "write.append.together",
  "a new field that takes all along": "write.append.drift",
  "a limit that loses records": "write.append.limited",
  "answers in another order": "lookup.answers",
  "a refused request that takes all along": "lookup.refused",
  "no second creation": "lifecycle.again",
  "a password in an error": "secrets.planted",
} as const;

/** Those that only a program of its own can have. */
export const programFlaws = {
  "a cursor that means nothing to the next process": "read.kill",
  "records confirmed and held in the process": "write.append.kill",
  "work that goes on when it is cancelled": "read.cancel",
  "writes that go on when they are cancelled": "write.append.cancel",
  "memory kept of what was read": "read.memory",
  "memory kept of what was written": "write.append.memory",
  "a password in the log": "secrets.planted",
  "a password in a span": "secrets.planted",
  "no end": "stop.prompt",
  "a child that is left behind": "stop.prompt",
} as const;

export type Flaw = keyof typeof flaws | keyof typeof programFlaws | "none";

export const password = "the right password";
const leaked: Buffer[] = [];
const held: string[] = [];
const handles = new Map<string, number>();
const longBase = 1_700_000_000_000_000_000n;
const records: JsonObject[] = Array.from({ length: 12 }, (_, id) => ({
  id,
  name: `n${id}`,
  notes: "x".repeat(id * 20),
}));

/** Reads `in` and writes `out.ndjson` of a folder; as many streams, records and faults as the suite needs. */
export function flawedType(flaw: Flaw): ConnectorType {
  const is = (...names: Flaw[]) => names.includes(flaw);
  const secret = is("a password that is shown") ? {} : { writeOnly: true };
  let created = false;
  return {
    type: "flawed",
    version: is("an odd version") ? "newest" : "1.0.0",
    title: "Flawed",
    description: is("no sentence as description") ? "records" : "Records of a folder.",
    config: {
      type: "object",
      additionalProperties: is("an open config"),
      required: ["folder", "password"],
      properties: {
        folder: { type: "string", ...(is("a member that is not described") ? {} : { description: "The folder." }) },
        password: { type: "string", description: "What opens it.", ...secret },
        limit: { type: "boolean", description: "Whether calls are limited." },
      },
    },
    capabilities: {
      source: { modes: ["full"] },
      destination: { modes: ["append"] },
      lookup: {
        request: { type: "object", additionalProperties: false, properties: { id: { description: "Its id." } } },
      },
      lifecycle: true,
    },
    create: (config) =>
      new Flawed(config as unknown as Config, is, { created: () => created, create: () => (created = true) }),
  };
}

interface Config {
  readonly folder: string;
  readonly password: string;
  readonly limit?: boolean;
}

class Flawed implements Connector {
  readonly #config: Config;
  readonly #is: (...names: Flaw[]) => boolean;
  readonly #outside: { created(): boolean; create(): void };
  #shared = 0;
  #calls = 0;

  constructor(config: Config, is: (...names: Flaw[]) => boolean, outside: { created(): boolean; create(): void }) {
    this.#config = config;
    this.#is = is;
    this.#outside = outside;
  }

  async check(): Promise<void> {
    const { folder, password: given } = this.#config;
    const is = this.#is;
    if (is("a check that refuses what works")) throw new Error("not today");
    if (is("a check that takes anything")) return;
    if (is("a password in the log")) console.error(`opened with ${given}`);
    if (!existsSync(folder)) {
      const path = is("a check that names another setting") ? "config.password" : "config.folder";
      throw new ConnectorError("VALIDATION_ERROR", "there is no such folder", { fault: "destination", path });
    }
    if (given === password) return;
    if (is("a wrong password as a defect")) throw new Error("wrong");
    const told = is("a password in an error") ? ` ${given}` : "";
    throw new ConnectorError("UNAUTHORIZED", `the password${told} is wrong`, {
      fault: "destination",
      path: "config.password",
    });
  }

  async discover() {
    const is = this.#is;
    if (is("a schema that is none")) return [{ name: "in", schema: { type: "nonsense" } }];
    const colour = this.#drifted() && !is("a schema of before") ? { colour: { type: "string" } } : {};
    const properties = { id: { type: is("a schema of something else") ? "string" : "integer" }, name: {}, notes: {} };
    const schema = { type: "object", properties: { ...properties, ...colour }, additionalProperties: false };
    const streams = [{ name: "in", schema }];
    return is("a stream twice") ? [...streams, ...streams] : streams;
  }

  async openSource({ stream, from, batch, signal }: SourceOptions): Promise<Source> {
    const is = this.#is;
    if (stream !== "in" && !is("an empty stream for a missing one")) {
      throw new ConnectorError("NOT_FOUND", `there is no stream ${stream}`, {
        fault: "destination",
        path: "source.stream",
      });
    }
    if (is("a password in a span")) await span(this.#config.password);
    if (is("a child that is left behind")) await leaveChild();
    const rows = stream === "in" ? this.#rows() : [];
    const size = is("batches of any size") ? 5 : batch.records;
    const self = this;
    // One that a double does not hold, of which this loses what it counts by.
    const isLong = is("a cursor that loses digits");
    const number =
      isLong && from !== null ? Number(JSON.stringify(from)) - Number(longBase) : ((from as number | null) ?? 0);
    let at = typeof from === "string" ? (handles.get(from) ?? 0) : number;
    if (is("one place for all readers") && at === 0) this.#shared = 0;
    async function* read() {
      while (is("one place for all readers") ? self.#shared < rows.length : at < rows.length) {
        if (is("one place for all readers")) {
          at = self.#shared;
          self.#shared += size;
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (signal.aborted && is("an end where it was aborted")) return;
        if (!is("work that goes on when it is cancelled")) signal.throwIfAborted();
        self.#limit();
        const before = at;
        at = Math.min(rows.length, at + size, at + fitting(rows.slice(at), batch.bytes, is("batches of any size")));
        let slice = rows.slice(before, at);
        if (is("a record left out")) slice = slice.filter(({ id }) => id !== 3);
        if (is("a record read twice") && before === 0) slice = [slice[0]!, ...slice];
        if (is("records lost at a limit") && self.#config.limit) slice = slice.slice(1);
        if (is("memory kept of what was read")) leaked.push(Buffer.alloc(64 * 1024 * 1024, 1));
        const cursor = is("a cursor before its records") ? before : is("a cursor behind its records") ? at + 1 : at;
        yield batchOf(slice, handle(cursor), { base: "in", offset: is("positions by batch") ? 0 : before });
      }
    }
    const handle = (cursor: number): Json => {
      if (isLong) return parseExact(String(longBase + BigInt(cursor)));
      if (!is("a cursor that means nothing to the next process")) return cursor;
      const name = `${process.pid}-${cursor}`;
      handles.set(name, cursor);
      return name;
    };
    if (is("work that goes on when it is cancelled")) signal.addEventListener("abort", spin);
    return { read, close: async () => {} };
  }

  async openDestination(): Promise<Destination> {
    const is = this.#is;
    const out = join(this.#config.folder, "out.ndjson");
    let underWay = 0;
    let completed = 0;
    const kept: string[] = [];
    return {
      concurrency: is("two batches at once that collide") ? 4 : 1,
      write: async ({ records: given, signal }: WriteBatch) => {
        if (is("writes that go on when they are cancelled")) {
          signal.addEventListener("abort", spin);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        if (is("memory kept of what was written")) leaked.push(Buffer.alloc(64 * 1024 * 1024, 1));
        if (is("two batches at once that collide") && underWay > 0) throw new Error("one at a time");
        underWay++;
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        if (this.#config.limit && is("a limit that loses records") && this.#calls++ === 0) return {};
        this.#limit();
        let good = given.filter(
          ({ value }) => (value as JsonObject).name !== "" && !(value as JsonObject).sluice_drift,
        );
        const failed = given.flatMap((record, index) =>
          good.includes(record) ? [] : [{ index, code: "VALIDATION_ERROR" as const, message: "it has another shape" }],
        );
        const isDrift = given.some(({ value }) => (value as JsonObject).sluice_drift);
        if (
          failed.length > 0 &&
          is(isDrift ? "a new field that takes all along" : "a refused record that takes all along")
        )
          return { failed: given.map((_, index) => ({ index, code: "VALIDATION_ERROR" as const, message: "bad" })) };
        if (is("a record not written")) good = good.filter(({ value }) => (value as JsonObject).id !== 3);
        const texts = good.map(({ text }) => `${text}\n`).join("");
        if (is("records confirmed and held in memory")) kept.push(texts);
        else if (is("records confirmed and held in the process")) held.push(texts);
        else appendFileSync(out, is("a record written twice") ? texts + texts : texts);
        return { failed };
      },
      complete: async () => {
        if (is("no run without records") && !existsSync(out)) throw new Error("nothing was written");
        const mark = join(this.#config.folder, "completed");
        if (is("one complete only") && (completed++ > 0 || existsSync(mark))) throw new Error("it was completed");
        if (is("one complete only")) writeFileSync(mark, "");
        appendFileSync(out, [...kept, ...held].join(""));
        held.length = 0;
      },
      close: async () => {},
    };
  }

  async lookup(requests: readonly Json[]) {
    const ids = requests.map((request) => (request as JsonObject).id as number);
    const failed = ids.flatMap((id, index) =>
      id < 0 ? [{ index, code: "NOT_FOUND" as const, message: "no such id" }] : [],
    );
    if (failed.length > 0 && this.#is("a refused request that takes all along")) throw new Error("no such id");
    const answers = ids.map((id) => (id < 0 ? null : records[id]!));
    return {
      answers: this.#is("answers in another order")
        ? answers.toSorted((a, b) => Number(a?.id) - Number(b?.id))
        : answers,
      failed,
    };
  }

  async created(): Promise<void> {
    if (this.#outside.created() && this.#is("no second creation")) throw new Error("it is there already");
    this.#outside.create();
  }

  async updated(): Promise<void> {}

  async deleted(): Promise<void> {}

  async close(): Promise<void> {}

  #drifted(): boolean {
    return existsSync(join(this.#config.folder, "drift"));
  }

  #rows(): JsonObject[] {
    if (!this.#drifted()) return records;
    if (this.#is("a stop at a new field")) return [];
    return records.map((record) => ({ ...record, colour: "red" }));
  }

  /** Every other call, where calls are limited. */
  #limit(): void {
    if (!this.#config.limit || this.#calls++ % 2 === 1) return;
    if (this.#is("a limit as a defect")) throw new Error("429");
    throw new ConnectorError("RATE_LIMITED", "too many calls", { fault: "transient", retryAfterMs: 10 });
  }
}

export const clear = (folder: string): void => {
  for (const name of ["out.ndjson", "completed"]) rmSync(join(folder, name), { force: true });
};

export const stored = (folder: string): Json[] => {
  const file = join(folder, "out.ndjson");
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Json]));
};

export { records };

/** How many of them are no more bytes than that: one at least. */
function fitting(rows: readonly JsonObject[], bytes: number, any: boolean): number {
  let size = -1;
  const at = rows.findIndex((row) => (size += JSON.stringify(row).length + 1) > bytes && !any);
  return at < 0 ? rows.length : Math.max(1, at);
}

let spins = false;

function spin(): void {
  if (spins) return;
  spins = true;
  setImmediate(function again() {
    for (const end = performance.now() + 20; performance.now() < end; );
    setImmediate(again);
  });
}

async function span(secret: string): Promise<void> {
  const body = JSON.stringify({ resourceSpans: [{ attributes: { secret } }] });
  await fetch(`${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`, { method: "POST", body });
}

async function leaveChild(): Promise<void> {
  const child = spawn("sh", ["-c", "trap '' TERM; echo ready; sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  child.stdout.destroy();
  child.unref();
}
