import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import type { LoggedHeader } from "../../runtime/ports/log.ts";
import { batchOf, connectTo, largeSize, numberOf, serverUrl, take } from "./support.ts";

async function logWith(count: number) {
  const logs = await connectTo(serverUrl());
  onTestFinished(() => logs.close());
  const id = randomUUID();
  const log = await logs.open(id, "ingest");
  await log.own();
  const sequences: number[] = [];
  for (let n = 0; n < count; n++) {
    sequences.push((await log.append("r.0", batchOf(n), { id: String(n) })).sequence);
    await log.append("t", batchOf(n), { id: `t${n}` });
  }
  return { logs, id, log, sequences };
}

test.each([true, false])(
  "a consumer that is rewound is given again what it had acknowledged (in order: %s)",
  async (again) => {
    const { log, sequences } = await logWith(5);
    const consumer = await log.consumer("steps", ["r.0"], { again });
    await take(consumer, 5, (message) => message.ack());
    await consumer.close();
    await log.rewind("steps", ["r.0"], sequences[2] as number);
    const seen: number[] = [];
    const rewound = await log.consumer("steps", ["r.0"], { again });
    await take(rewound, 3, async (message) => {
      seen.push(numberOf(message));
      await message.ack();
    });
    expect(seen).toEqual([2, 3, 4]);
    expect((await log.stats()).consumers.steps).toMatchObject({
      pending: 0,
      unacknowledged: 0,
      ackFloor: sequences[4],
    });
  },
);

test("headers are read from a sequence on, those of claims too, and leave no consumer behind", async () => {
  const { log, sequences } = await logWith(3);
  const large = await log.append("r.0", batchOf(3, largeSize), { id: "3" });
  const read: LoggedHeader[] = [];
  for await (const each of log.headers(["r.0"], sequences[1] as number)) read.push(each);
  expect(read.map(({ sequence }) => sequence)).toEqual([...sequences.slice(1), large.sequence]);
  expect(read.map(({ header }) => header)).toEqual([1, 2, 3].map((n) => batchOf(n).header));
  for await (const _ of log.headers(["r.0"], large.sequence + 1))
    throw new Error("there is nothing behind the last one");
  expect((await log.stats()).consumers).toEqual({});
});

test("a log that is made anew is known by the sequence it begins with", async () => {
  const { logs, id, log } = await logWith(1);
  const { born, last } = await log.stats();
  expect(last).toBeGreaterThan(born);
  expect(await logs.all()).toContain(id);
  await logs.remove(id);
  expect(await logs.all()).not.toContain(id);
  const anew = await (await logs.open(id, "ingest")).stats();
  expect(anew.born).toBeGreaterThan(last);
  expect(anew.last).toBeLessThan(anew.born);
  // A clock that is set back takes no sequences back.
  await logs.remove(id);
  const late = anew.born + 86_400_000_000;
  expect((await (await logs.open(id, "ingest", late)).stats()).born).toBeGreaterThan(late);
});
