import { expect, test } from "vitest";
import { expressions } from "../../runtime/mapping/index.ts";
import { ConnectorError, type OutRecord } from "../sdk/index.ts";
import { KafkaDestination } from "./destination.ts";
import type { KafkaClient, OwnRequest } from "./kafkajs.ts";
import type { Produced } from "./requests.ts";
import type { TopicChoice } from "./topics.ts";
import type { Writer } from "./wire.ts";

/** A topic whose partitions are led by a broker each; what each of them answers, or why it cannot. */
async function destinationOf(answers: readonly (number | ConnectorError)[]): Promise<KafkaDestination> {
  const client = {
    producerId: async () => ({ producerId: "1", producerEpoch: 0 }),
    send: async (leader: number, own: OwnRequest<readonly Produced[]>, bytes: Writer, begun: () => void) => {
      own.write(bytes);
      const answer = answers[leader];
      if (answer !== gone) begun();
      if (answer === silent) return new Promise(() => {});
      if (answer instanceof ConnectorError) throw answer;
      return [{ partition: leader, errorCode: answer ?? 0 }];
    },
    close: () => {},
  } as unknown as KafkaClient;
  const led = answers.map((_, partition) => ({ topic: "t", partition, leader: partition }));
  const choice = { single: "t", partitions: async () => led } as unknown as TopicChoice;
  const settings = { write: { partition: "{{ $.to }}" } };
  const destination = new KafkaDestination(client, {
    settings,
    at: "config",
    choice,
    key: [],
    expressions,
    patienceMs: 1,
  });
  await destination.open();
  return destination;
}

function write(
  destination: KafkaDestination,
  to: readonly number[],
  ordered: boolean,
  signal = new AbortController().signal,
) {
  const records = to.map((partition, index): OutRecord => {
    const value = { to: partition };
    return { id: String(index), value, text: JSON.stringify(value) };
  });
  return destination.write({ records, ordered, signal });
}

const gone = new ConnectorError("UNAVAILABLE", "cannot be reached", { fault: "destination" });
const broken = new ConnectorError("UNAVAILABLE", "broke", { fault: "transient" });
const forbidden = 29;
/** It never answers. */
const silent = -2;

test.each([true, false])(
  "a write that is to stop tells what was confirmed, and what it left: in order %s",
  async (ordered) => {
    const destination = await destinationOf([0, silent]);
    const stop = new AbortController();
    const writing = write(destination, [0, 1, 0], ordered, stop.signal);
    // Far behind the answer of the first broker.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("enough"));
    expect(await writing).toEqual({ failed: [], left: ordered ? [1, 2] : [1] });
    const again = write(destination, [1], ordered, AbortSignal.timeout(10));
    await expect(again).rejects.toThrow("timeout");
    await destination.close();
  },
);

test.each([
  ["cannot be reached", gone],
  ["refuses", forbidden],
])("what a broker that %s was to take is left, where another one took its own", async (_, answer) => {
  const destination = await destinationOf([0, answer]);
  expect(await write(destination, [0, 1, 0, 1], false)).toEqual({ failed: [], left: [1, 3] });
  expect(await write(destination, [0, 1, 0, 1], true)).toEqual({ failed: [], left: [1, 2, 3] });
  // A partition that is not there.
  expect(await write(destination, [7, 1], false)).toMatchObject({ failed: [{ index: 0 }], left: [1] });
  await expect(write(destination, [1, 0], true)).rejects.toMatchObject({ fault: "destination" });
  await destination.close();
});

test("what was on its way to a broker that broke off is a failure, and what was not sent is left", async () => {
  const destination = await destinationOf([0, broken, gone]);
  const failed = [{ index: 1, code: "UNAVAILABLE", message: "broke" }];
  expect(await write(destination, [0, 1, 0], true)).toEqual({ failed, left: [2] });
  expect(await write(destination, [0, 1, 2], false)).toEqual({ failed, left: [2] });
  await destination.close();
});
