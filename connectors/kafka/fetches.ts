import type { KafkaClient } from "./kafkajs.ts";
import type { Held } from "./places.ts";
import { type Fetched, fetchRequest } from "./requests.ts";
import { Writer } from "./wire.ts";

/** How long a broker waits for messages before it answers that there are none. */
export const waitMs = 500;
const fetchBytes = 4 * 1024 * 1024;
const partitionBytes = 1024 * 1024;

export interface Answer {
  readonly leader: number;
  readonly asked: readonly Held[];
  readonly fetched: readonly Fetched[];
  readonly error?: unknown;
}

/** What brokers are asked for: one fetch each at a time. */
export class Fetches {
  readonly #client: KafkaClient;
  readonly #asked = new Map<number, Promise<Answer>>();

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  /** Asks each broker that none is under way to. */
  ask(wanted: Iterable<Held>): void {
    for (const [leader, asked] of Map.groupBy(wanted, ({ leader }) => leader)) {
      if (this.#asked.has(leader)) continue;
      // Another one is the first each time: what is full of messages must not hide the others.
      asked.push(...asked.splice(0, Math.floor(Math.random() * asked.length)));
      const partitions = asked.map(({ topic, partition, next: offset }) => ({ topic, partition, offset }));
      const request = fetchRequest(partitions, { waitMs, bytes: fetchBytes, partitionBytes });
      const answer = this.#client.send(leader, request, new Writer()).then(
        (fetched) => ({ leader, asked, fetched }),
        (error: unknown) => ({ leader, asked, fetched: [], error }),
      );
      this.#asked.set(leader, answer);
    }
  }

  /** The first answer there is; undefined where `waited` resolves before. */
  async next(waited: Promise<void>): Promise<Answer | undefined> {
    const answer = await Promise.race([...this.#asked.values(), waited.then(() => undefined)]);
    if (answer) this.#asked.delete(answer.leader);
    return answer;
  }
}
