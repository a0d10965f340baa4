import type { SourceMode } from "../sdk/index.ts";
import { type KafkaCursor, offsetIn } from "./cursor.ts";
import type { Commit } from "./group.ts";
import type { KafkaClient } from "./kafkajs.ts";
import { keyOf, type Led, offsetsAt, type TopicPartition, type When } from "./topics.ts";

/** A partition that is read. */
export interface Held extends TopicPartition {
  leader: number;
  /** Before the next message that is handed out. */
  position: number;
  /** Before the next one that is asked for. */
  next: number;
  /** A bounded read ends here. */
  end: number;
  /** The group's commit. */
  committed: number;
  /** Where reading began, until something was handed out: it may be committed. */
  begin: number | undefined;
  /** Since when it cannot be read, */
  staleSince: number | undefined;
  /** and whether it is not asked for at the moment. */
  isPaused: boolean;
}

/** What a group has committed for a partition, and the words of who did. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

export interface PlacesOptions {
  readonly endless: boolean;
  readonly start: When;
  /** What is new to the reader was there when it began. */
  readonly isFirst: boolean;
  /** Of the reader's own commits. */
  readonly metadata: string;
}

/** Says where the reading of partitions begins and ends. */
export class Places {
  readonly #client: KafkaClient;
  readonly #options: PlacesOptions;
  /** Of a bounded read: the same through rebalances. */
  readonly #ends = new Map<string, number>();
  /** Partitions that were there when reading began. */
  #first: ReadonlySet<string> | undefined;

  constructor(client: KafkaClient, options: PlacesOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Those that have a leader: the others cannot be asked where they begin and end. */
  async hold(
    partitions: readonly Led[],
    cursor: KafkaCursor,
    committed: ReadonlyMap<string, Committed>,
  ): Promise<Map<string, Held>> {
    const { start, isFirst, endless } = this.#options;
    this.#first ??= new Set(isFirst ? partitions.map(keyOf) : []);
    const led = partitions.filter(({ leader }) => leader >= 0);
    const own = ({ topic, partition }: TopicPartition) => offsetIn(cursor, topic, partition);
    const unknown = led.filter((each) => own(each) === undefined && !committed.has(keyOf(each)));
    const begins = new Map<string, number>();
    // What was made since the first run began is read from its beginning.
    for (const [when, some] of Map.groupBy(unknown, (each) => (this.#first?.has(keyOf(each)) ? start : "earliest"))) {
      for (const [key, begin] of await offsetsAt(this.#client, some, when)) begins.set(key, begin);
    }
    if (!endless) {
      const unbounded = led.filter((each) => !this.#ends.has(keyOf(each)));
      for (const [key, end] of await offsetsAt(this.#client, unbounded, "latest")) this.#ends.set(key, end);
    }
    const held = led.map((each): readonly [string, Held] => {
      const key = keyOf(each);
      const commit = committed.get(key);
      const begin = begins.get(key);
      const position = this.#place(own(each), commit) ?? begin ?? 0;
      const place = { position, next: position, end: this.endOf(key, position), begin };
      return [key, { ...each, ...place, committed: commit?.offset ?? -1, staleSince: undefined, isPaused: false }];
    });
    return new Map(held);
  }

  /** A partition that ends before what is to be read next is asked all the same: the broker says what is the matter. */
  endOf(key: string, position: number): number {
    const end = this.#ends.get(key) ?? Number.POSITIVE_INFINITY;
    return position > end ? Number.POSITIVE_INFINITY : end;
  }

  /**
   * The log knows best, save where somebody else read on. Our own commit is never ahead of it, unless the log is older
   * than it was: what it lost is read again then.
   */
  #place(own: number | undefined, commit: Committed | undefined): number | undefined {
    const isOthers = commit !== undefined && commit.metadata !== this.#options.metadata;
    return own === undefined || (isOthers && commit.offset > own) ? commit?.offset : own;
  }
}

/** Mode full begins at the beginning where it would else read nothing. */
export function startOf(start = "earliest", mode: SourceMode): When {
  if (start === "earliest" || (start === "latest" && mode === "full")) return "earliest";
  return start === "latest" ? start : Date.parse(start);
}

/** What may be committed of partitions, and was not: as far as it is in the log. */
export function commitsOf(partitions: readonly Held[], stored: KafkaCursor): Commit[] {
  return partitions.flatMap(({ topic, partition, committed, begin }) => {
    const offset = begin ?? offsetIn(stored, topic, partition);
    return offset === undefined || offset <= committed ? [] : [{ topic, partition, offset }];
  });
}
