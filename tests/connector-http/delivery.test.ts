import { expect, onTestFinished, test } from "vitest";
import type { Json, OutRecord } from "../../connectors/sdk/index.ts";
import { Circuit, Gate, Lanes, type Order } from "../../runtime/delivery/index.ts";
import { type Clock, realClock } from "../../runtime/ports/clock.ts";
import { VirtualClock } from "../../runtime/ports/virtual-clock.ts";
import { connect, openDestination, type Reply, serveHere } from "../support/http-server.ts";

const rounds = 300;
const firstSeed = Number(process.env.SLUICE_TEST_SEED);

interface Person {
  readonly id: number;
  readonly account: number;
}

/** What a request meets; anything else is taken. `lost` is taken, and its answer is not sent. */
const destinationFaults = ["401", "403", "page"] as const;
const passing = ["503", "500", "408", "cut", "lost", "some"] as const;
type Kind = (typeof destinationFaults)[number] | (typeof passing)[number] | "429";

/** All that happens in a round. */
interface Round {
  readonly order: "none" | "key" | "strict";
  readonly records: readonly Person[];
  /** Of a request; none: each record has its own. */
  readonly batch: number | undefined;
  readonly hasResults: boolean;
  readonly concurrency: number;
  readonly maxAttempts: number;
  readonly hasGate: boolean;
  /** By the number of the request. */
  readonly script: ReadonlyMap<number, Kind>;
  /** Records that the far side refuses. */
  readonly refused: ReadonlySet<number>;
}

function roundOf(random: () => number): Round {
  const upTo = (n: number) => Math.floor(random() * n);
  const oneOf = <T>(from: readonly T[]) => from[upTo(from.length)] as T;
  const count = 1 + upTo(14);
  const isBatched = random() < 0.5;
  const hasResults = isBatched && random() < 0.6;
  const kinds = oneOf<readonly Kind[]>([destinationFaults, passing, [...destinationFaults, ...passing, "429"]]);
  const script = new Map<number, Kind>();
  for (let n = upTo(5); n > 0; n--) {
    const kind = oneOf(kinds);
    if (kind !== "some" || hasResults) script.set(upTo(12), kind);
  }
  return {
    order: oneOf(["none", "key", "strict"]),
    records: Array.from({ length: count }, (_, id) => ({ id, account: upTo(4) })),
    batch: isBatched ? 1 + upTo(4) : undefined,
    hasResults,
    concurrency: 1 + upTo(3),
    maxAttempts: 1 + upTo(6),
    hasGate: random() < 0.5,
    script,
    refused: new Set(random() < 0.3 ? [upTo(count)] : []),
  };
}

test("whatever requests meet, in every order a record is confirmed as the far side has it, or given up after its own tries", async () => {
  let serving: (body: Json) => Reply | "cut";
  const server = await serveHere(({ body }, response) => {
    const reply = serving(JSON.parse(body) as Json);
    if (reply !== "cut") return reply;
    response.destroy();
    return undefined;
  });
  // However slow the machine is: no connection ends but those that are cut.
  server.server.keepAliveTimeout = 0;
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const { random } = new VirtualClock(0, seed);
    const round = roundOf(random);
    const { order, records, batch, hasResults, concurrency, maxAttempts, hasGate, script, refused } = round;
    const said = `seed ${seed}: ${JSON.stringify({ ...round, script: [...script], refused: [...refused] })}`;
    /** Ids in the order they were taken. */
    const taken: number[] = [];
    /** By record: how often the far side failed it for what passes. */
    const failures = new Map<number, number>();
    let asked = 0;
    serving = (body) => {
      const ids = [body].flat().map((each) => (each as unknown as Person).id);
      const kind = script.get(asked++);
      const failed = (some: readonly number[]) => {
        for (const id of some) failures.set(id, (failures.get(id) ?? 0) + 1);
      };
      const results = (statuses: readonly number[]): Reply => {
        taken.push(...ids.filter((_, at) => statuses[at] === 200));
        return { body: hasResults ? statuses.map((s) => ({ s })) : "" };
      };
      switch (kind) {
        case "401":
        case "403":
          return { status: Number(kind), body: "" };
        case "page":
          return hasResults ? { status: 403, body: "" } : { body: "<html><title>Log in</title></html>" };
        case "some":
          failed([ids[0] as number]);
          return results(ids.map((_, at) => (at === 0 ? 503 : 200)));
        case "429":
          failed(ids);
          return { status: 429, headers: { "retry-after": "0" }, body: "" };
        case "408":
        case "500":
        case "503":
          failed(ids);
          return { status: Number(kind), body: "" };
        case "lost":
          taken.push(...ids);
          failed(ids);
          return "cut";
        case "cut":
          failed(ids);
          return "cut";
        default:
      }
      if (!ids.some((id) => refused.has(id))) return results(ids.map(() => 200));
      return hasResults ? results(ids.map((id) => (refused.has(id) ? 422 : 200))) : { status: 422, body: "" };
    };
    const append = { ...(batch && { batch: { records: batch } }), ...(hasResults && { results: { status: "$.s" } }) };
    const connector = connect({ base_url: server.url, concurrency, streams: { c: { append } } });
    const destination = await openDestination(connector, "c");
    const { signal } = new AbortController();
    const clock: Clock = { ...realClock, now: realClock.now, sleep: async () => {} };
    const circuit = new Circuit({
      failurePercent: 50,
      windowMs: 60_000,
      minimumCalls: 10,
      openForMs: 1,
      halfOpenRequests: 1,
    });
    const gate = hasGate ? new Gate({ circuit, clock, waiting: () => {}, openTooLong: () => {} }) : undefined;
    const by: Order = order === "key" ? { key: ({ value }) => String((value as unknown as Person).account) } : order;
    const lanes = new Lanes(by, {
      destination,
      batch: { records: 1_000, bytes: 1_000_000, lingerMs: 0 },
      retry: { maxAttempts, initialMs: 0, maxMs: 0, multiplier: 1, jitter: 0 },
      clock,
      signal,
      gate,
      waiting: () => {},
    });
    onTestFinished(() => gate?.close());
    const out = records.map(
      (record): OutRecord => ({ id: `r${record.id}`, text: JSON.stringify(record), value: record as unknown as Json }),
    );
    const { undelivered } = await lanes.submit({ records: out, bytes: 1_000 });

    const givenUp = new Map(undelivered.map((each) => [each.index, each]));
    expect(undelivered, said).toHaveLength(givenUp.size);
    const has = new Set(taken);
    for (const { id } of records) {
      const dead = givenUp.get(id);
      if (!dead) {
        expect(has.has(id), `record ${id} is lost; ${said}`).toBe(true);
        continue;
      }
      if (refused.has(id) && dead.code === "BUSINESS_RULE") continue;
      // Of its own tries: that the destination was at fault, or was not come to, is none.
      expect(dead.attempts, said).toHaveLength(maxAttempts);
      expect(failures.get(id) ?? 0, `record ${id} was given up for others; ${said}`).toBeGreaterThanOrEqual(
        maxAttempts,
      );
    }
    if (order === "none") continue;
    // What comes last of each record is in the order of the source.
    const last = new Map(taken.map((id, at) => [id, at]));
    const newest = new Map<number, number>();
    for (const { id, account } of records) {
      if (givenUp.has(id)) continue;
      const lane = order === "key" ? account : 0;
      const at = last.get(id) as number;
      expect(at, `record ${id} stands before one ahead of it; ${said}`).toBeGreaterThan(newest.get(lane) ?? -1);
      newest.set(lane, at);
    }
  }
});
