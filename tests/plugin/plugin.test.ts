import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { Plugin } from "../../adapters/plugin/index.ts";
import type { Cursor, OutRecord, ReadBatch, Source } from "../../connectors/sdk/index.ts";
import { type Delivered, deliver } from "../../runtime/delivery/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { serveHere } from "../support/http-server.ts";
import { tempDir } from "../support/temp-dir.ts";

const bad = fileURLToPath(new URL("programs/bad.ts", import.meta.url));
const builtIn = fileURLToPath(new URL("programs/built-in.ts", import.meta.url));
const context = { dataDir: "/", fileRoots: [] };
const idle = new AbortController().signal;
const record = (n: number): OutRecord => ({ text: `{"n":${n}}`, value: { n }, id: String(n) });

async function start(fault: string, more: object = {}, said: (line: string) => void = () => {}): Promise<Plugin> {
  const command = [process.execPath, bad] as const;
  const plugin = await Plugin.start({
    name: "bad",
    plugin: { command, env: { SLUICE_TEST_FAULT: fault }, ...more },
    logger: noLogger,
    redact: (line) => {
      said(line);
      return line;
    },
  });
  onTestFinished(() => plugin.stop());
  return plugin;
}

const source = (plugin: Plugin, signal = idle) =>
  plugin.type.create({}, context).openSource!({
    stream: "s",
    mode: "full",
    cursorField: undefined,
    from: null,
    batch: { records: 100, bytes: 100_000 },
    signal,
  });
const destination = (plugin: Plugin, signal = idle, more: object = {}) =>
  plugin.type.create({}, context).openDestination!({
    stream: "s",
    mode: "append",
    key: [],
    runId: "r",
    state: null,
    signal,
    ...more,
  });

async function all(reading: Promise<Source>): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for await (const batch of (await reading).read()) batches.push(batch);
  return batches;
}

test("a plugin that keeps to the contract is read, and what it says on stdout and stderr is not in the way", async () => {
  const [batch, ...more] = await all(source(await start("")));
  expect(more).toEqual([]);
  expect(batch).toMatchObject({ count: 3, cursor: 1, position: { base: "b", offset: 0 } });
  expect(Buffer.from(batch!.data).toString()).toBe('{"n":0}\n{"n":1}\n{"n":2}');
});

test("what a plugin says of its reading is told", async () => {
  const [batch] = await all(source(await start("has a notice")));
  expect(batch?.notice).toBe("one half of it is away");
});

test("a plugin that floods stderr fills no log: a hundred lines a second, and how many were left out", async () => {
  const said: string[] = [];
  const take = (_: object, message: string) => void said.push(message);
  const logger = { ...noLogger, info: take, warn: take };
  const begun = performance.now();
  const command = [process.execPath, bad] as const;
  const env = { SLUICE_TEST_FAULT: "floods stderr" };
  const plugin = await Plugin.start({ name: "bad", plugin: { command, env }, logger: logger as typeof noLogger });
  onTestFinished(() => plugin.stop());
  const left = () => said.reduce((sum, line) => sum + Number(/^(\d+) lines left out/.exec(line)?.[1] ?? 0), 0);
  const lines = () => said.filter((line) => line === "z").length;
  await expect.poll(() => lines() + left(), { timeout: 60_000 }).toBe(200_000);
  expect(lines()).toBeLessThanOrEqual(100 * (1 + (performance.now() - begun) / 1_000));
});

test("a plugin that can be read without an end is told what is stored, by its own cursor to the digit", async () => {
  const program = fileURLToPath(new URL("programs/endless.ts", import.meta.url));
  const command = [process.execPath, program] as const;
  const plugin = await Plugin.start({ name: "endless", plugin: { command }, logger: noLogger });
  onTestFinished(() => plugin.stop());
  expect(plugin.type.capabilities.source).toEqual({ modes: ["incremental"], ownCursor: true, endless: true });
  const options = { stream: "s", mode: "incremental" as const, cursorField: undefined, endless: true };
  const batch = { records: 100, bytes: 100_000 };
  const texts: string[] = [];
  let from: Cursor | null = null;
  for (let times = 0; times < 2; times++) {
    const opened: Source = await plugin.type.create({}, context).openSource!({ ...options, from, batch, signal: idle });
    for await (const { data, cursor } of opened.read()) {
      texts.push(Buffer.from(data).toString());
      opened.stored!(cursor);
      from = cursor;
    }
    await opened.close();
  }
  // Places that a double does not hold.
  const stored = '{"stored":{"at":1700000000000000199}}';
  expect(texts).toEqual([
    '{"endless":true,"from":null}',
    stored,
    '{"endless":true,"from":{"at":9007199254740993}}',
    stored,
  ]);
});

test.each([
  ["fails at once", /^plugin bad ended before its first line \(exit code 3\): there is no such database$/],
  ["odd handshake", /^plugin bad begins with a line that is no handshake: Hello$/],
  ["other protocol", /^plugin bad speaks version 7 of the protocol, and this sluice only 1$/],
  ["odd type", /^plugin bad has the type "Not A Name", which is no name of a type$/],
  ["odd version", /^plugin bad has the version "newest", which is not semantic$/],
  ["odd schema", /^plugin bad has a schema of the config that is no JSON object$/],
  ["useless", /^plugin bad is neither source nor destination$/],
])("a plugin that %s does not start, and why is said", async (fault, message) => {
  await expect(start(fault)).rejects.toThrow(message);
});

test("a plugin that gives no handshake, or is silent after it, is not waited for without end", async () => {
  await Promise.all([
    expect(start("no handshake")).rejects.toThrow(/^plugin bad did not print its address within 10 s$/),
    expect(start("silent")).rejects.toThrow(/^plugin bad did not say what it is within 10 s$/),
  ]);
});

test("a program that is not there is named", async () => {
  const starting = Plugin.start({ name: "gone", plugin: { command: ["/nowhere/plugin"] }, logger: noLogger });
  await expect(starting).rejects.toThrow(
    /^plugin gone ended before its first line \(cannot be started: there is no such program\)/,
  );
});

test.each([
  ["floods", /^plugin bad sent 100 records with credit for \d+$/],
  ["lies about counts", /^plugin bad sent 5 records and says that they are 4$/],
  ["odd ordinals", /^plugin bad sent 1 ordinals for 3 records$/],
  ["same ordinal twice", /^plugin bad gave two records of a batch the ordinal 7$/],
  ["odd failure", /^plugin bad says that record 3 of 3 failed$/],
  ["same failure twice", /^plugin bad says twice what became of record 0$/],
  ["odd cursor", /^plugin bad sent a cursor that is no JSON$/],
])("a source that %s is ended and named", async (fault, message) => {
  const plugin = await start(fault);
  const reading = (async () => {
    const opened = await source(plugin);
    // Whoever takes its time gives no more credit.
    for await (const _ of opened.read()) await new Promise((resolve) => setTimeout(resolve, 50));
  })();
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.toMatchObject({ code: "INTERNAL_ERROR", fault: "transient" });
});

test.each([
  ["odd id", /^plugin bad answered batch 8, which waits for no answer$/],
  ["odd record", /^plugin bad says that record 99 of 1 failed$/],
  ["same record twice", /^plugin bad says twice what became of record 0$/],
  ["odd state", /^plugin bad sent a state that is no JSON$/],
  ["ends the call", /^plugin bad ended the call$/],
])("a destination with an %s fails its batch and is named", async (fault, message) => {
  const opened = await destination(await start(fault));
  expect(opened.concurrency).toBe(64);
  await expect(opened.write({ records: [record(1)], signal: idle })).rejects.toThrow(message);
});

test("what a destination at fault did not take in the middle of a write is left, through a plugin as without one", async () => {
  const statuses = [422, 201, 403, 403];
  const server = await serveHere(() => ({ status: statuses.shift()!, body: "" }));
  const command = [process.execPath, builtIn, "http"] as const;
  const plugin = await Plugin.start({ name: "web", plugin: { command }, logger: noLogger, redact: (line) => line });
  onTestFinished(() => plugin.stop());
  const connector = plugin.type.create({ base_url: server.url, concurrency: 1 }, context);
  const opened = await connector.openDestination!({
    stream: "s",
    mode: "append",
    key: [],
    runId: "r",
    state: null,
    signal: idle,
  });
  const records = [0, 1, 2, 3].map(record);
  expect(await opened.write({ records, signal: idle })).toMatchObject({
    failed: [{ index: 0, code: "BUSINESS_RULE" }],
    left: [2, 3],
  });
  await expect(opened.write({ records: records.slice(2), signal: idle })).rejects.toMatchObject({
    code: "FORBIDDEN",
    fault: "destination",
  });
  await opened.close();
});

test("a destination that answers twice is ended: nobody knows which answer holds", async () => {
  const opened = await destination(await start("answers twice"));
  await opened.write({ records: [record(1)], signal: idle });
  await expect(opened.write({ records: [record(2)], signal: idle })).rejects.toThrow(
    /^plugin bad answered batch 1, which waits for no answer$/,
  );
});

test("a write that is never answered ends with its signal", async () => {
  const opened = await destination(await start("never answers"));
  await expect(opened.write({ records: [record(1)], signal: AbortSignal.timeout(50) })).rejects.toThrow("timeout");
  await opened.close();
});

test("a write that takes too long is cancelled, and is over before anything is written after it", async () => {
  const timeout = { connectMs: 1_000, readMs: 1_000, totalMs: 60_000 };
  const opened = await destination(await start("hangs at first"), idle, { timeout });
  const neighbour = opened.write({ records: [record(2)], signal: idle });
  await expect(opened.write({ records: [record(1)], signal: AbortSignal.timeout(50) })).rejects.toThrow("timeout");
  const { state } = await opened.write({ records: [record(1)], signal: idle });
  expect(state).toMatchObject({ seconds: 60, cancelled: true });
  expect((state as { waited: number }).waited).toBeGreaterThan(900);
  // What was under way beside it was not at fault: it is written again.
  expect(await neighbour).toMatchObject({ state: { cancelled: true } });
  await opened.close();
});

test("a stream that is not opened in time fails by itself, and can be opened then", async () => {
  const plugin = await start("hangs in open");
  const timeout = { connectMs: 100, readMs: 100, totalMs: 300 };
  await expect(destination(plugin, idle, { stream: "slow", timeout })).rejects.toMatchObject({
    code: "TIMEOUT",
    message: "plugin bad did not open the stream within 0.3 s (delivery.timeout.total)",
  });
  const opened = await destination(plugin, idle, { timeout: { ...timeout, totalMs: 60_000 } });
  await expect(opened.write({ records: [record(1)], signal: idle })).resolves.toEqual({});
});

test("a run that is not completed in time is completed again in another call", async () => {
  const opened = await destination(await start("hangs in complete"), idle, {
    timeout: { connectMs: 100, readMs: 100, totalMs: 5_000 },
  });
  await opened.write({ records: [record(1)], signal: idle });
  await expect(opened.complete()).rejects.toMatchObject({
    code: "TIMEOUT",
    message: "plugin bad did not complete the run within 5 s (delivery.timeout.total)",
  });
  await expect(opened.complete()).resolves.toBeUndefined();
});

test("a write that was left behind while the stream was opened anew is not written late", async () => {
  const opened = await destination(await start("hangs at first"));
  await expect(opened.write({ records: [record(1)], signal: AbortSignal.timeout(50) })).rejects.toThrow("timeout");
  await expect(opened.write({ records: [record(1)], signal: AbortSignal.timeout(10) })).rejects.toThrow("timeout");
  await opened.close();
});

test("a call that was opened and ended in one breath is opened anew by the next write", async () => {
  const opened = await destination(await start("opens and ends"));
  const write = () => opened.write({ records: [record(1)], signal: AbortSignal.timeout(20_000) });
  await write().catch((error: Error) => expect(error.message).toBe("plugin bad ended the call"));
  expect(await write()).toEqual({});
  await opened.close();
});

const sent = async (plugin: Plugin) => {
  const { answers } = await plugin.type.create({}, context).lookup!([{}], idle);
  return answers[0] as number;
};

test("a source that floods places without records is held by its last one", { timeout: 120_000 }, async () => {
  const plugin = await start("floods places");
  const opened = await source(plugin);
  const batches = opened.read()[Symbol.asyncIterator]() as AsyncGenerator<ReadBatch>;
  await batches.next();
  await expect.poll(() => sent(plugin), { timeout: 100_000 }).toBe(1_000);
  let more = 0;
  let last: unknown;
  for await (const { cursor } of batches) {
    more++;
    last = cursor;
  }
  expect(String(last)).toMatch(/^999 /);
  expect(more).toBeLessThan(100);
});

test("a source whose records are larger than what may be held is not read on before they are taken", {
  timeout: 120_000,
}, async () => {
  const plugin = await start("floods bytes");
  const batches = (await source(plugin)).read()[Symbol.asyncIterator]() as AsyncGenerator<ReadBatch>;
  await batches.next();
  let before = -1;
  // It goes no further, whoever waits.
  await expect
    .poll(
      async () => {
        const now = await sent(plugin);
        const same = now === before;
        before = now;
        return same;
      },
      { interval: 500, timeout: 60_000 },
    )
    .toBe(true);
  expect(before).toBeLessThan(100);
  let more = 0;
  for await (const { count } of batches) more += count;
  expect(more).toBe(299);
});

test("a line without an end is cut, before the handshake and after it", async () => {
  await expect(start("one long line")).rejects.toThrow(/^plugin bad begins with a line that is no handshake: x{200}$/);
  const said: string[] = [];
  const plugin = await start("one long line on stderr", {}, (line) => said.push(line));
  await expect.poll(() => said).toEqual(["y".repeat(65_536), "after it"]);
  expect(await all(source(plugin))).toHaveLength(1);
});

test.each([
  ["odd answer", 1, /^plugin bad sent an answer that is no JSON$/],
  ["odd request", 1, /^plugin bad says that request 5 of 1 failed$/],
  ["same request twice", 1, /^plugin bad says twice what became of request 0$/],
])("a look-up with an %s is named", async (fault, requests, message) => {
  const connector = (await start(fault)).type.create({}, context);
  await expect(connector.lookup!(new Array(requests).fill({}), idle)).rejects.toThrow(message);
});

test("what no one could write as a stream's or a field's name is told by its length alone", async () => {
  const connector = (await start("endless name")).type.create({}, context);
  const message = "plugin bad names a stream or a field with 1001 characters";
  await expect(connector.discover(idle)).rejects.toMatchObject({ code: "INTERNAL_ERROR", message });
});

test("ordinals may come in any order", async () => {
  const [batch] = await all(source(await start("ordinals in any order")));
  expect(batch?.position.ordinals).toEqual([7, 3, "9223372036854775808"]);
});

test("a source that hangs ends with its signal", async () => {
  await expect(all(source(await start("hangs"), AbortSignal.timeout(50)))).rejects.toThrow("timeout");
});

test("a plugin that dies fails what is under way, says how it ended, and lives again", async () => {
  const plugin = await start("dies");
  const before = plugin.pid;
  await expect(all(source(plugin))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect.poll(() => plugin.pid !== before && plugin.pid !== undefined).toBe(true);
  expect(await plugin.type.create({}, context).discover(idle)).toEqual([]);
});

test("a record that the plugin dies of each time is found among those of two destinations, and only that one", async () => {
  const plugin = await start("dies of 7");
  const numbers = (from: number) => Array.from({ length: 60 }, (_, n) => record(from + n));
  const ends: Delivered[] = [];
  const written = [0, 100].map(async (from) => {
    const opened = await destination(plugin);
    const retry = { maxAttempts: 20, initialMs: 20, maxMs: 500, multiplier: 2, jitter: 0.2 };
    const options = { destination: opened, retry, clock: realClock, signal: idle, waiting: () => {} };
    const batches = [0, 20, 40].map((at) => numbers(from).slice(at, at + 20));
    ends.push(...(await Promise.all(batches.map((batch) => deliver(batch, options)))));
    await opened.close();
  });
  await Promise.all(written);
  const undelivered = ends.flatMap((end) => end.undelivered);
  expect(undelivered).toMatchObject([
    { index: 7, code: "INTERNAL_ERROR", message: "plugin bad died each time that this record was written" },
  ]);
});

test("a write that is more than a message may hold fails by itself, and the next one goes through", async () => {
  const opened = await destination(await start(""));
  const large: OutRecord = { text: `"${"x".repeat(65 * 1024 * 1024)}"`, value: null, id: "large" };
  await expect(opened.write({ records: [large], signal: idle })).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
    fault: "record",
    message: expect.stringMatching(/^a record of 68157442 bytes is more than plugin bad takes in a message$/),
  });
  expect(await opened.write({ records: [record(1)], signal: idle })).toEqual({});
});

test("a message of more than 64 MiB from a plugin ends the call and is named", { timeout: 60_000 }, async () => {
  await expect(all(source(await start("sends too much")))).rejects.toMatchObject({
    code: "INTERNAL_ERROR",
    message: "plugin bad sent a message of more than 64 MiB",
  });
});

test.runIf(process.platform === "linux")(
  "a plugin that leaks memory is ended and says so",
  { timeout: 60_000 },
  async () => {
    const plugin = await start("leaks", { memoryBytes: 300 * 1024 * 1024 });
    await expect(all(source(plugin))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const asked = await plugin.lease(idle).then(
      () => "lives again",
      (error: Error) => error.message,
    );
    expect(asked).toMatch(/lives again|plugin bad was ended: it took \d+ MB of memory, and may take 315 MB/);
  },
);

test.runIf(process.platform === "linux")(
  "a plugin that leaks memory before it says anything is ended and says so",
  { timeout: 60_000 },
  async () => {
    await expect(start("leaks at once", { memoryBytes: 300 * 1024 * 1024 })).rejects.toThrow(
      /^plugin bad was ended: it took \d+ MB of memory, and may take 315 MB$/,
    );
  },
);

test.runIf(process.platform === "linux")(
  "a plugin whose child leaks memory is ended and says so",
  { timeout: 60_000 },
  async () => {
    const plugin = await start("leaks in a child", { memoryBytes: 300 * 1024 * 1024 });
    await expect(all(source(plugin))).rejects.toThrow(
      /^plugin bad was ended: it took \d+ MB of memory, and may take 315 MB$/,
    );
  },
);

test("a plugin that is killed leaves nothing in the folder for temporary files", async () => {
  const folder = tempDir();
  vi.stubEnv("TMPDIR", folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  const plugin = await start("");
  const [socket, ...others] = readdirSync(folder);
  expect(others).toEqual([]);
  process.kill(plugin.pid as number, "SIGKILL");
  await expect.poll(() => readdirSync(folder)).not.toContain(socket);
});

test("a plugin that hangs is ended, says so and lives again", { timeout: 120_000 }, async () => {
  const plugin = await start("hangs", { silentMs: 5_000 });
  const before = plugin.pid as number;
  const reading = all(source(plugin));
  const failed = expect(reading).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "plugin bad was ended: it did not answer for 5 s",
  });
  await plugin.type.create({}, context).discover(idle);
  process.kill(before, "SIGSTOP");
  await failed;
  await expect.poll(() => plugin.pid !== before && plugin.pid !== undefined).toBe(true);
  expect(await plugin.type.create({}, context).discover(idle)).toEqual([]);
});

test("a plugin that answers, though it serves no health, is left alone", { timeout: 60_000 }, async () => {
  const plugin = await start("counts on", { silentMs: 3_000 });
  const before = plugin.pid;
  let batches = 0;
  for await (const _ of (await source(plugin)).read()) if (++batches === 50) break;
  expect(plugin.pid).toBe(before);
});

test("a plugin that does not heed a stop is killed after 5 s", { timeout: 60_000 }, async () => {
  const plugin = await start("hangs in stop");
  const { pid } = plugin;
  await plugin.stop();
  expect(() => process.kill(pid as number, 0)).toThrow("ESRCH");
});

test("an error without a failure's trailer means what its status says", async () => {
  const plugin = await start("odd trailer");
  const connector = plugin.type.create({}, context);
  await expect(connector.check(idle)).rejects.toMatchObject({ code: "FORBIDDEN", fault: "destination" });
  await expect(all(source(plugin))).rejects.toMatchObject({ code: "UNAVAILABLE", message: "plugin bad: away for now" });
  await expect(connector.lookup!([{}, {}], idle)).rejects.toThrow("plugin bad gave 1 answers to 2 requests");
});
