import { expect, test } from "vitest";
import { ConnectorError, type OutRecord, type WriteBatch, type WriteResult } from "../../connectors/sdk/index.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { Circuit } from "./circuit.ts";
import { type DeliverOptions, deliver } from "./deliver.ts";
import { Gate } from "./gate.ts";
import { failureOf } from "./settlement.ts";

const retry = { maxAttempts: 3, initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0 };
const recordsOf = (count: number): OutRecord[] =>
  Array.from({ length: count }, (_, n) => ({ id: String(n), value: n, text: String(n) }));

/** Delivers with virtual time; `write` sees the numbers of the records. */
function delivering(count: number, write: (numbers: number[], call: number) => WriteResult | Promise<WriteResult>) {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  const controller = new AbortController();
  const calls: number[][] = [];
  const waits: (string | null)[] = [];
  const options: DeliverOptions = {
    destination: {
      write: async ({ records }: WriteBatch) => {
        const numbers = records.map(({ value }) => value as number);
        calls.push(numbers);
        return write(numbers, calls.length);
      },
    },
    retry,
    clock,
    signal: controller.signal,
    waiting: (reason) => waits.push(reason),
  };
  const done = deliver(recordsOf(count), options);
  done.catch(() => {});
  return { clock, controller, calls, waits, done };
}

const refused = () => new ConnectorError("VALIDATION_ERROR", "no", { fault: "record" });
const busy = (retryAfterMs?: number) =>
  new ConnectorError("RATE_LIMITED", "busy", {
    fault: "transient",
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
const gone = () => new ConnectorError("UNAUTHORIZED", "revoked", { fault: "destination" });

test("one write is enough where nothing fails, and its state is given back", async () => {
  const { done, calls } = delivering(3, () => ({ state: { bytes: 7 } }));
  expect(await done).toEqual({ undelivered: [], state: { bytes: 7 } });
  expect(calls).toEqual([[0, 1, 2]]);
});

test("a batch that is refused whole is halved until only the records at fault are left (invariant 6)", async () => {
  const bad = new Set([3, 12]);
  const written: number[] = [];
  const { done } = delivering(16, (numbers) => {
    if (numbers.some((n) => bad.has(n))) throw refused();
    written.push(...numbers);
    return {};
  });
  const { undelivered } = await done;
  expect(undelivered.map(({ index, code, attempts }) => [index, code, attempts.length])).toEqual([
    [3, "VALIDATION_ERROR", 1],
    [12, "VALIDATION_ERROR", 1],
  ]);
  expect(written).toEqual(Array.from({ length: 16 }, (_, n) => n).filter((n) => !bad.has(n)));
});

const crash = () => new RangeError("Invalid string length");

test.each([0, 6, 15])(
  "a record that crashes its connector (%i of 16) is found by halving, and given up at once: the others pass",
  async (bad) => {
    const written: number[] = [];
    const { done, clock } = delivering(16, (numbers) => {
      if (numbers.includes(bad)) throw crash();
      written.push(...numbers);
      return {};
    });
    const { undelivered } = await done;
    expect(clock.now()).toBe(Date.parse("2026-01-01T00:00:00Z"));
    expect(undelivered.map(({ index, code, attempts }) => [index, code, attempts.length])).toEqual([
      [bad, "INTERNAL_ERROR", 1],
    ]);
    expect(written.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, n) => n).filter((n) => n !== bad));
  },
);

test("a connector that crashes whatever it is given is tried again as often as configured: no record is to blame", async () => {
  const { done, clock } = delivering(2, () => {
    throw crash();
  });
  await clock.advance(10_000);
  const { undelivered } = await done;
  expect(undelivered.map(({ attempts }) => attempts.length)).toEqual([3, 3]);
});

test("records that a write names as failed settle alone: the others are not written again", async () => {
  const { done, calls, clock } = delivering(4, (_numbers, call) =>
    call === 1
      ? {
          failed: [
            { index: 1, code: "VALIDATION_ERROR", message: "no" },
            { index: 2, code: "UNAVAILABLE", message: "later" },
          ],
        }
      : {},
  );
  await clock.advance(100);
  expect((await done).undelivered.map(({ index }) => index)).toEqual([1]);
  expect(calls).toEqual([[0, 1, 2, 3], [2]]);
});

test("what fails for a passing reason is tried again with backoff, and given up with the history of its attempts", async () => {
  const { done, calls, clock } = delivering(2, () => {
    throw busy();
  });
  await clock.advance(99);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect(calls).toHaveLength(2);
  await clock.advance(200);
  const { undelivered } = await done;
  expect(calls).toHaveLength(3);
  expect(undelivered.map(({ index }) => index)).toEqual([0, 1]);
  expect(undelivered[0]?.attempts).toEqual(
    ["00.000", "00.100", "00.300"].map((at) => ({
      at: `2026-01-01T00:00:${at}Z`,
      code: "RATE_LIMITED",
      message: "busy",
    })),
  );
});

test("how long a destination says to wait goes before the backoff", async () => {
  const { done, calls, clock } = delivering(1, (_numbers, call) => {
    if (call === 1) throw busy(5000);
    return {};
  });
  await clock.advance(4999);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect((await done).undelivered).toEqual([]);
});

test("a destination at fault is waited for, however long, counts no attempt, and the wait says why", async () => {
  const { done, calls, clock, waits } = delivering(3, (_numbers, call) => {
    if (call < 40) throw gone();
    return {};
  });
  await clock.advance(10 * 60 * 60 * 1000);
  expect((await done).undelivered).toEqual([]);
  expect(calls).toHaveLength(40);
  expect(waits).toEqual(["revoked", null]);
});

test("what is thrown without a code is a passing failure", async () => {
  const { done, calls, clock } = delivering(1, (_numbers, call) => {
    if (call === 1) throw new TypeError("a defect");
    return {};
  });
  await clock.advance(1000);
  expect((await done).undelivered).toEqual([]);
  expect(calls).toHaveLength(2);
});

test("the state is that of the last write that gave one", async () => {
  const { done } = delivering(2, (numbers) => {
    if (numbers.length === 2) throw refused();
    return numbers[0] === 0 ? { state: 1 } : {};
  });
  expect((await done).state).toBe(1);
});

test("an abort ends a wait at once", async () => {
  const { done, clock, controller } = delivering(1, () => {
    throw gone();
  });
  await clock.advance(1000);
  controller.abort(new Error("enough"));
  await expect(done).rejects.toThrow("enough");
  expect(clock.nextAt).toBeNull();
});

test("what asks for more patience than an hour is tried again after an hour", async () => {
  const { done, clock, calls } = delivering(1, (_, call) => {
    if (call === 1) throw busy(24 * 3600_000);
    return {};
  });
  await clock.advance(3_599_999);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect((await done).undelivered).toEqual([]);
});

test("nothing waits any more once the last record is given up", async () => {
  const { done, clock, waits } = delivering(1, (_, call) => {
    throw call === 1 ? gone() : refused();
  });
  await clock.advance(60_000);
  expect((await done).undelivered).toMatchObject([{ code: "VALIDATION_ERROR" }]);
  expect(waits).toEqual(["revoked", null]);
});

function gateOf() {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  const circuit = new Circuit({
    failurePercent: 50,
    windowMs: 60_000,
    minimumCalls: 10,
    openForMs: 30_000,
    halfOpenRequests: 1,
  });
  const waits: (string | null)[] = [];
  const long: number[] = [];
  const waiting = (reason: string | null) => {
    if (reason !== waits.at(-1)) waits.push(reason);
  };
  const gate = new Gate({ circuit, clock, waiting, openTooLong: (ms) => long.push(ms) });
  return { clock, circuit, gate, waits, long };
}

/** Two batches at once through one gate, with virtual time. */
function gated(write: (call: number, record: string) => WriteResult, count = 2) {
  const { clock, circuit, gate, waits, long } = gateOf();
  const waiting = () => {};
  const controller = new AbortController();
  const calls: string[] = [];
  const destination = {
    write: async ({ records }: WriteBatch) => {
      const [{ id }] = records as [OutRecord];
      calls.push(id);
      return write(calls.length, id);
    },
  };
  const { signal } = controller;
  const done = Promise.all(
    recordsOf(count).map((record) => deliver([record], { destination, retry, clock, signal, gate, waiting })),
  );
  done.catch(() => {});
  return { clock, circuit, controller, calls, waits, long, done };
}

test("a crash of one record's making does not weigh against the destination", async () => {
  const { clock, circuit, gate } = gateOf();
  const write = async ({ records }: WriteBatch) => {
    if (records.some(({ id }) => id === "300")) throw crash();
    return {};
  };
  const { signal } = new AbortController();
  const options = { destination: { write }, retry, clock, signal, gate, waiting: () => {} };
  for (let batch = 0; batch < 4; batch++) {
    expect((await deliver(recordsOf(500), options)).undelivered).toMatchObject([{ index: 300 }]);
  }
  expect(circuit.open).toBeUndefined();
});

test("a destination at fault opens the circuit at once: one call tries every 30 s, and nothing is given up", async () => {
  let away = true;
  const { clock, calls, waits, long, done } = gated(() => {
    if (away) throw gone();
    return {};
  });
  await clock.advance(29_999);
  expect(calls).toEqual(["0", "1"]);
  expect(waits).toEqual(["revoked (circuit open until 2026-01-01T00:00:30Z)"]);
  await clock.advance(300_001);
  // Both had begun when it opened; after that one each half minute.
  expect(calls).toHaveLength(2 + 11);
  expect(long).toEqual([300_000]);
  away = false;
  await clock.advance(30_000);
  expect(await done).toMatchObject([{ undelivered: [] }, { undelivered: [] }]);
  expect(waits.at(-1)).toBeNull();
});

test("attempts count only while the circuit is closed", async () => {
  const { clock, circuit, done, calls } = gated((call, id) => {
    if (id === "0") throw busy();
    return call < 20 ? { failed: [{ index: 0, code: "UNAVAILABLE", message: "later" }] } : {};
  }, 12);
  // Twelve first attempts fail, which opens it: no second one counts before it is closed by a trial.
  await clock.advance(0);
  expect(circuit.open).toBeDefined();
  await clock.advance(10 * 30_000);
  await clock.advance(60_000);
  const results = await done;
  const given = results.map(({ undelivered }) => undelivered[0]?.attempts.length);
  expect(given).toEqual([3, ...Array(11).fill(undefined)]);
  expect(calls.length).toBeGreaterThan(20);
});

test("what waits at an open circuit ends with the signal, and leaves the next run its trial", async () => {
  const { clock, circuit, controller, done } = gated(() => {
    throw gone();
  });
  await clock.advance(10_000);
  controller.abort(new Error("stopped"));
  await expect(done).rejects.toThrow("stopped");
  expect(circuit.delay(clock.now())).toBe(20_000);
  await clock.advance(20_000);
  expect(circuit.begin(clock.now())).toBeDefined();
});

test("what a write did not come to counts no attempt, and what it confirmed is not written again", async () => {
  const { clock, done, calls } = delivering(4, (_numbers, call) =>
    call <= 2 ? { left: call === 1 ? [1, 2, 3] : [2] } : {},
  );
  await clock.advance(100);
  expect(await done).toEqual({ undelivered: [], state: undefined });
  expect(calls).toEqual([[0, 1, 2, 3], [1, 2, 3], [3]]);
});

test("at a stop what is not confirmed is put off without an attempt, so that what is confirmed can be settled", async () => {
  const clock = new VirtualClock();
  const ends = new AbortController();
  const write = async () => {
    ends.abort(new Error("stopped"));
    return { left: [1, 3] };
  };
  const options = { destination: { write }, retry, clock, signal: ends.signal, waiting: () => {} };
  const { undelivered } = await deliver(recordsOf(4), { ...options, putsOff: () => true });
  const put = { code: "UNAVAILABLE", attempts: [], retryInMs: 0 };
  expect(undelivered).toMatchObject([
    { index: 1, ...put },
    { index: 3, ...put },
  ]);
  // Of one message, a part of which is confirmed; another one is the next owner's as a whole.
  const rest = await deliver(recordsOf(2), { ...options, putsOff: () => true, begun: true });
  expect(rest.undelivered).toHaveLength(2);
  await expect(deliver(recordsOf(2), { ...options, putsOff: () => true })).rejects.toThrow("stopped");
  await expect(deliver(recordsOf(2), { ...options, begun: true })).rejects.toThrow("stopped");
});

test("one record is the trial of a circuit that is half open", async () => {
  const { clock, circuit, gate } = gateOf();
  circuit.end(
    circuit.begin(clock.now())!,
    { records: 1, failed: 1, broken: true, reason: "gone", retryAfterMs: undefined },
    clock.now(),
  );
  const sizes: number[] = [];
  let away = true;
  const write = async ({ records }: WriteBatch) => {
    sizes.push(records.length);
    if (away) throw gone();
    return {};
  };
  const { signal } = new AbortController();
  const done = deliver(recordsOf(500), { destination: { write }, retry, clock, signal, gate, waiting: () => {} });
  await clock.advance(60_000);
  expect(sizes).toEqual([1, 1]);
  away = false;
  await clock.advance(30_000);
  expect(await done).toMatchObject({ undelivered: [] });
  expect(sizes).toEqual([1, 1, 1, 499]);
});

test("a destination that hangs opens its circuit at the third time-out in a row, however far apart, and gives nothing up", async () => {
  const { clock, circuit, gate } = gateOf();
  let hangs = true;
  const write = async () => {
    if (!hangs) return {};
    await clock.sleep(60_000);
    throw new ConnectorError("TIMEOUT", "no answer", { fault: "transient" });
  };
  const { signal } = new AbortController();
  const done = deliver(recordsOf(500), { destination: { write }, retry, clock, signal, gate, waiting: () => {} });
  await clock.advance(200_000);
  expect(circuit.open).toMatchObject({ reason: "no answer" });
  await clock.advance(3_600_000);
  hangs = false;
  await clock.advance(600_000);
  expect(await done).toMatchObject({ undelivered: [] });
});

test("one record that hangs whenever it is written is given up: it opens no circuit", async () => {
  const { clock, circuit, gate } = gateOf();
  const write = async () => {
    await clock.sleep(60_000);
    throw new ConnectorError("TIMEOUT", "no answer", { fault: "transient" });
  };
  const { signal } = new AbortController();
  const done = deliver(recordsOf(1), { destination: { write }, retry, clock, signal, gate, waiting: () => {} });
  await clock.advance(600_000);
  expect(await done).toMatchObject({ undelivered: [{ index: 0, code: "TIMEOUT" }] });
  expect(circuit.open).toBeUndefined();
});

test("a record that waits long is put off alone: the others of its write wait as long as they have to", async () => {
  const clock = new VirtualClock();
  const calls: { readonly at: number; readonly ids: readonly string[] }[] = [];
  const start = clock.now();
  const write = async ({ records }: { readonly records: readonly { readonly id: string }[] }) => {
    calls.push({ at: clock.now() - start, ids: records.map(({ id }) => id) });
    if (calls.length > 1) return {};
    const later = (index: number, retryAfterMs: number) =>
      ({ index, code: "RATE_LIMITED", message: "later", retryAfterMs }) as const;
    return { failed: [later(0, 60_000), later(1, 100), later(2, 5_000)] };
  };
  const { signal } = new AbortController();
  const options = { destination: { write }, retry, clock, signal, waiting: () => {} };
  const done = deliver(recordsOf(4), { ...options, putsOff: () => true });
  await clock.advance(1_000);
  expect((await done).undelivered).toMatchObject([
    { index: 0, retryInMs: 60_000 },
    { index: 2, retryInMs: 5_000 },
  ]);
  const [first, second] = calls;
  expect(calls).toHaveLength(2);
  expect(second?.ids).toEqual([first?.ids[1]]);
  expect(second?.at).toBe(100);
});

const limited = { code: "RATE_LIMITED", message: "busy" } as const;

test("what a write did not come to waits as long as the far side asks, and that counts no attempt of it", async () => {
  const answers: WriteResult[] = [
    { failed: [{ index: 1, ...limited, retryAfterMs: 60_000 }], left: [2, 3] },
    { failed: [{ index: 0, ...limited, retryAfterMs: 30_000 }], left: [1, 2] },
    // The last attempt of the first: what is behind it waits all the same.
    { failed: [{ index: 0, ...limited, retryAfterMs: 10_000 }], left: [1, 2] },
  ];
  const { clock, calls, done } = delivering(4, (_numbers, call) => answers[call - 1] ?? {});
  const ends = [60_000, 30_000, 10_000];
  for (const [n, ms] of ends.entries()) {
    await clock.advance(ms - 1);
    expect(calls).toHaveLength(n + 1);
    await clock.advance(1);
    expect(calls).toHaveLength(n + 2);
  }
  expect(calls).toEqual([
    [0, 1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
    [2, 3],
  ]);
  expect((await done).undelivered.map(({ index, attempts }) => [index, attempts.length])).toEqual([[1, 3]]);
});

test.each([
  ["a Retry-After", { ...limited, retryAfterMs: 60_000 }, 60_000],
  ["a Retry-After of a server that is away", { code: "UNAVAILABLE", message: "busy", retryAfterMs: 60_000 }, 60_000],
  ["a rate limit without one: the first wait of the backoff", limited, 1_000],
] as const)("what a write did not come to is put off without an attempt, by %s", async (_what, failure, ms) => {
  const clock = new VirtualClock();
  const write = async () => ({ failed: [{ index: 0, ...failure }], left: [1] });
  const { signal } = new AbortController();
  const slow = { ...retry, initialMs: 1_000 };
  const options = { destination: { write }, retry: slow, clock, signal, waiting: () => {}, putsOff: () => true };
  const { undelivered } = await deliver(recordsOf(2), options);
  expect(undelivered).toMatchObject([
    { index: 0, retryInMs: ms, attempts: [{ message: "busy" }] },
    { index: 1, retryInMs: ms, attempts: [], code: failure.code, message: "busy" },
  ]);
});

test("what a write did not come to waits half a second where nobody asks for patience, and no longer for what is put off", async () => {
  const clock = new VirtualClock();
  const calls: number[] = [];
  const start = clock.now();
  const write = async () => {
    calls.push(clock.now() - start);
    return calls.length > 1
      ? {}
      : { failed: [{ index: 0, code: "UNAVAILABLE", message: "later" } as const], left: [1] };
  };
  const { signal } = new AbortController();
  const slow = { ...retry, initialMs: 30_000, maxMs: 30_000 };
  const options = { destination: { write }, retry: slow, clock, signal, waiting: () => {}, putsOff: () => true };
  const done = deliver(recordsOf(2), options);
  await clock.advance(1_000);
  expect((await done).undelivered).toMatchObject([{ index: 0, retryInMs: 30_000 }]);
  expect(calls).toEqual([0, 500]);
});

test("failures that are told in any order are those of their records: none is taken for another's, and none is left out", async () => {
  const clock = new VirtualClock();
  const confirmed: string[] = [];
  let calls = 0;
  const write = async ({ records }: { readonly records: readonly { readonly id: string }[] }) => {
    calls++;
    // As of requests that were under way together, the last one ended first.
    if (calls === 1) {
      const busy = (index: number) => ({ index, code: "UNAVAILABLE", message: "busy", retryAfterMs: 1 }) as const;
      return { failed: records.map((_, index) => busy(records.length - 1 - index)) };
    }
    const left = calls === 2 ? records.slice(1).map((_, index) => index + 1) : [];
    for (const [index, { id }] of records.entries()) if (!left.includes(index)) confirmed.push(id);
    return { left };
  };
  const { signal } = new AbortController();
  const records = recordsOf(4);
  const done = deliver(records, { destination: { write }, retry, clock, signal, waiting: () => {} });
  await clock.advance(1_000);
  expect(await done).toEqual({ undelivered: [], state: undefined });
  expect(confirmed).toEqual(records.map(({ id }) => id));
});

test.each([
  [86_400_000, 3_600_000],
  [1e26, 3_600_000],
  [Number.POSITIVE_INFINITY, 3_600_000],
  [2_500, 2_500],
  [0, 100],
  [-1, 100],
  [Number.NaN, 100],
])("a Retry-After of %s ms is waited for %s ms: an hour at most, and no wait is the backoff's", async (asked, ms) => {
  expect(failureOf(busy(asked)).retryAfterMs).toBe(ms === 100 ? undefined : ms);
  for (const told of ["of the call", "of the record"]) {
    const { clock, calls, done } = delivering(1, (_numbers, call) => {
      if (call > 1) return {};
      if (told === "of the call") throw busy(asked);
      return { failed: [{ index: 0, code: "RATE_LIMITED", message: "busy", retryAfterMs: asked }] };
    });
    await clock.advance(ms - 1);
    expect(calls).toHaveLength(1);
    await clock.advance(1);
    expect(await done).toEqual({ undelivered: [], state: undefined });
  }
});

test.each<[WriteResult, string]>([
  [
    { failed: [0, 2, 0].map((index) => ({ index, code: "VALIDATION_ERROR", message: "no" })) },
    "says twice what became of record 0",
  ],
  [{ failed: [{ index: 1, code: "UNAVAILABLE", message: "no" }], left: [1] }, "says twice what became of record 1"],
  [{ failed: [{ index: 3, code: "VALIDATION_ERROR", message: "no" }] }, "says what became of record 3 of 3"],
  [{ left: [-1] }, "says what became of record -1 of 3"],
  [{ left: [0, 1, 2] }, "came to none of 3 records, and does not say why"],
])(
  "what no write may say is an error that names the connector, and is believed of no record: %j",
  async (wrong, message) => {
    let calls = 0;
    const write = async () => (calls++ === 0 ? wrong : {});
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    const once = { ...retry, maxAttempts: 1 };
    const options = { destination: { write }, connector: "connector crm", clock, signal, waiting: () => {} };
    const given = await deliver(recordsOf(3), { ...options, retry: once });
    expect(given.undelivered.map(({ index, code, message }) => [index, code, message])).toEqual(
      [0, 1, 2].map((index) => [index, "INTERNAL_ERROR", `connector crm ${message}`]),
    );
    calls = 0;
    const again = deliver(recordsOf(3), { ...options, retry });
    await clock.advance(1_000);
    expect(await again).toMatchObject({ undelivered: [] });
    expect(calls).toBe(2);
  },
);

test("of what a far side says at length the beginning is kept, no character cut in half", async () => {
  const message = `${"x".repeat(999)}\u{1f600} is refused`;
  const kept = `${"x".repeat(999)}…`;
  const thrown = await delivering(1, () => {
    throw new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
  }).done;
  const told = await delivering(1, () => ({ failed: [{ index: 0, code: "VALIDATION_ERROR", message }] })).done;
  for (const { undelivered } of [thrown, told]) {
    expect(undelivered).toMatchObject([{ message: kept, attempts: [{ message: kept }] }]);
  }
  expect(failureOf(new Error(message)).message).toBe(kept);
});

test("an error that only looks like a connector's is a defect of the connector's, and is tried again", () => {
  for (const fields of [
    { code: "TIMEOUT", fault: "nobody's" },
    { code: "toString", fault: "record" },
  ]) {
    expect(failureOf(Object.assign(new Error("odd"), fields))).toMatchObject({
      code: "INTERNAL_ERROR",
      fault: "transient",
      message: "odd",
    });
  }
});
