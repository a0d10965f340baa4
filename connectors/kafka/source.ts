import {
  ConnectorError,
  type Cursor,
  type ReadBatch,
  type Source,
  type SourceOptions,
  settingError,
} from "../sdk/index.ts";
import { type Away, awayIn, lookIn, staleMs } from "./away.ts";
import type { StreamSettings } from "./config.ts";
import { asJson, cursorOf, type KafkaCursor, moved } from "./cursor.ts";
import { isPassing, nameOf, protocolError } from "./errors.ts";
import { type Answer, Fetches, waitMs } from "./fetches.ts";
import { type Commit, GroupMember } from "./group.ts";
import { errorName, type KafkaClient } from "./kafkajs.ts";
import { Messages } from "./messages.ts";
import { commitsOf, type Held, Places, startOf } from "./places.ts";
import { BatchReader, CorruptBatch } from "./record-batch.ts";
import { keyOf, type Led, rangeOf, type TopicChoice, type TopicPartition } from "./topics.ts";
import { Wake } from "./wake.ts";

/** A source that waits says so now and then. */
const aliveMs = 3_000;
/** How often an endless read looks for new partitions and topics. */
const metadataMs = 5_000;
/** A topic that seems to be missing is looked for again for so long. */
const missingMs = 3_000;
/** What a rebalance waits for what was read to be in the log. */
const revokeMs = 10_000;

export interface ReadSettings {
  readonly settings: StreamSettings;
  /** Where they stand in the config. */
  readonly at: string;
  readonly choice: TopicChoice;
  readonly sessionMs: number;
}

/** Reads the messages of topics: up to the end that they have when it begins, or endlessly. */
export class KafkaSource implements Source {
  readonly #client: KafkaClient;
  readonly #options: SourceOptions;
  readonly #stream: ReadSettings;
  readonly #group: GroupMember | undefined;
  readonly #wake = new Wake();
  /** Of what was handed out. */
  #cursor: KafkaCursor;
  /** Of what is in the log. */
  #stored: KafkaCursor;
  #held = new Map<string, Held>();
  /** Those to be read of which it is not known where to begin, since when: they have no leader that could tell. */
  #leaderless: readonly Away[] = [];
  /** What the group gave last, also while it changes. */
  #mine: readonly Held[] = [];
  readonly #places: Places;
  readonly #fetches: Fetches;
  readonly #messages: Messages;
  #handedOut: KafkaCursor | undefined;
  /** Whether it is known which partitions are to be read. */
  #isAssigned = false;
  #lookedAt = performance.now();
  #partitions: readonly Led[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(client: KafkaClient, stream: ReadSettings, options: SourceOptions) {
    this.#client = client;
    this.#fetches = new Fetches(client);
    this.#stream = stream;
    this.#options = options;
    this.#cursor = cursorOf(options.from);
    this.#stored = this.#cursor;
    this.#places = new Places(client, {
      endless: options.endless ?? false,
      start: startOf(stream.settings.start, options.mode),
      isFirst: options.from === null,
      metadata: this.#metadata,
    });
    this.#messages = new Messages(stream.settings, options.batch);
    const { group } = stream.settings;
    if (group === undefined || options.mode === "full") {
      if (stream.settings.start !== "latest" || options.mode === "full") return;
      const message = "start: latest needs a group, which keeps the place until there is a record";
      throw settingError("VALIDATION_ERROR", message, `${stream.at}.start`);
    }
    this.#group = new GroupMember(
      client,
      { group, sessionMs: stream.sessionMs, metadata: this.#metadata },
      {
        topics: () => this.#topics(),
        counts: (topics) => this.#counts(topics),
        revoked: () => this.#revoked(),
        assigned: (partitions) => this.#assigned(partitions),
        commits: () => commitsOf(this.#mine, this.#stored),
        committed: (commits) => this.#committed(commits),
        failed: (error) => {
          this.#failure ??= { error };
          this.#wake.up();
        },
      },
    );
  }

  /** Looks for the topics; throws where one is missing. */
  async open(): Promise<void> {
    this.#partitions = await this.#stream.choice.partitions(this.#client);
  }

  async *read(): AsyncGenerator<ReadBatch> {
    const { signal } = this.#options;
    const stop = () => this.#wake.up();
    signal.addEventListener("abort", stop);
    try {
      if (this.#group) this.#group.start();
      else await this.#assigned(this.#partitions);
      let saidAt = performance.now();
      let said: string | undefined;
      while (!this.#isRead()) {
        signal.throwIfAborted();
        if (this.#failure) throw this.#failure.error;
        await this.#look();
        this.#ask();
        const answer = await this.#answer(signal);
        signal.throwIfAborted();
        const notice = this.#notice();
        for await (const batch of this.#handOut(answer)) {
          saidAt = performance.now();
          said = notice;
          yield notice === undefined ? batch : { ...batch, notice };
          signal.throwIfAborted();
        }
        if (said === notice && performance.now() - saidAt < aliveMs) continue;
        saidAt = performance.now();
        said = notice;
        yield { ...this.#nothing(), ...(notice !== undefined && { notice }) };
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  stored(cursor: Cursor): void {
    this.#stored = cursorOf(cursor);
    this.#wake.up();
  }

  async close(): Promise<void> {
    await this.#group?.leave().catch(() => undefined);
    this.#client.close();
  }

  get #metadata(): string {
    return `sluice ${this.#cursor.reader}`;
  }

  #isRead(): boolean {
    if (this.#options.endless || !this.#isAssigned || this.#failure || this.#leaderless.length > 0) return false;
    return this.#held.values().every(({ position, end }) => position >= end);
  }

  #ask(): void {
    if (!this.#isAssigned) return;
    this.#fetches.ask(this.#held.values().filter(({ next, end, isPaused }) => next < end && !isPaused));
  }

  /** The first answer there is; undefined where there is none for a while. */
  async #answer(signal: AbortSignal): Promise<Answer | undefined> {
    if (signal.aborted) return undefined;
    return this.#fetches.next(this.#wake.sleep(lookIn(this.#away, performance.now()) ?? waitMs * 2));
  }

  async *#handOut(answer: Answer | undefined): AsyncGenerator<ReadBatch> {
    if (!answer) return;
    if (answer.error !== undefined) throw answer.error;
    const asked = new Set(answer.asked);
    const readers: { readonly held: Held; readonly reader: BatchReader }[] = [];
    for (const each of answer.fetched) {
      const held = this.#held.get(keyOf(each));
      // Another one has it by now, or it was begun anew.
      if (!held || !asked.has(held)) continue;
      if (each.errorCode !== 0) {
        yield* this.#refused(held, errorName(each.errorCode));
        continue;
      }
      const reader = new BatchReader(each.records, held.position, each.aborted);
      held.next = reader.nextOffset;
      held.staleSince = undefined;
      // A replica that has not caught up may give less than what was there: nothing is wrong with it.
      if (!this.#options.endless && held.end === Number.POSITIVE_INFINITY) held.end = held.position;
      if (each.records.length > 0) readers.push({ held, reader });
    }
    // While these are handed out the next ones are on their way.
    this.#ask();
    for (const { held, reader } of readers) yield* this.#records(held, reader);
  }

  *#records(held: Held, reader: BatchReader): Generator<ReadBatch> {
    const messages = this.#messages;
    const { end } = held;
    const isGone = () => this.#held.get(keyOf(held)) !== held;
    if (isGone()) return;
    messages.begin(held);
    let after = held.position;
    try {
      while (reader.next() && reader.offset < end) {
        if (!messages.fits(reader) || !messages.add(reader)) {
          yield this.#batch(held, after);
          if (isGone()) return;
          messages.add(reader);
        }
        after = reader.offset + 1;
      }
    } catch (error) {
      if (!(error instanceof CorruptBatch || error instanceof RangeError)) throw error;
      const message = `${keyOf(held)} cannot be read: ${error.message}.`;
      throw new ConnectorError("INTERNAL_ERROR", message, { fault: "transient", cause: error });
    }
    if (messages.count > 0) {
      yield this.#batch(held, after);
      if (isGone()) return;
    }
    // Past what is no message: marks of transactions, what was compacted away.
    held.position = Math.max(after, Math.min(reader.nextOffset, end));
    this.#cursor = moved(this.#cursor, held.topic, held.partition, held.position);
  }

  #batch(held: Held, after: number): ReadBatch {
    held.position = after;
    held.begin = undefined;
    this.#cursor = moved(this.#cursor, held.topic, held.partition, after);
    this.#handedOut = this.#cursor;
    return this.#messages.take(asJson(this.#cursor));
  }

  #nothing(): ReadBatch {
    return { data: new Uint8Array(), count: 0, cursor: asJson(this.#cursor), position: { base: "", offset: 0 } };
  }

  async *#refused(held: Held, name: string): AsyncGenerator<ReadBatch> {
    if (name === "OFFSET_OUT_OF_RANGE") return yield* this.#outOfRange(held);
    if (!isPassing(name)) throw protocolError(name, `Topic ${held.topic}`, "source.stream");
    this.#pause(held);
  }

  /** Until its leader is known again. One that is named, and says for long that it is none, may be out of date. */
  #pause(held: Held): void {
    held.staleSince ??= performance.now();
    held.isPaused = true;
    if (held.leader < 0 || performance.now() - held.staleSince < staleMs) return;
    const message = `${keyOf(held)} has had no leader for ${staleMs / 1000} s.`;
    throw new ConnectorError("UNAVAILABLE", message, { fault: "transient" });
  }

  /** What waits for a leader. */
  get #away(): readonly Away[] {
    return [...this.#leaderless, ...this.#held.values().filter(({ isPaused }) => isPaused)];
  }

  /**
   * Says which partitions have had no leader for a while. The others go on meanwhile; once nothing else is left of a
   * bounded read it fails, so that the run's patience decides.
   */
  #notice(): string | undefined {
    const open = [...this.#held.values()].filter(({ position, end }) => position < end);
    const away = awayIn([...this.#leaderless, ...open], performance.now());
    if (!away) return undefined;
    const { who, has, longestMs } = away;
    const isLeft = this.#isAssigned && open.every(({ staleSince }) => staleSince !== undefined);
    if (isLeft && !this.#options.endless && longestMs >= staleMs) {
      const message = `${who} ${has} had no leader for ${staleMs / 1000} s.`;
      throw new ConnectorError("UNAVAILABLE", message, { fault: "transient" });
    }
    return `${who} ${has} no leader at the moment, and ${has === "has" ? "is" : "are"} waited for.`;
  }

  /** What was to be read next is not there: never passed over in silence. */
  async *#outOfRange(held: Held): AsyncGenerator<ReadBatch> {
    const { position, topic, partition } = held;
    const { first, end } = await rangeOf(this.#client, held);
    if (this.#held.get(keyOf(held)) !== held) return;
    if (position >= first && position <= end) return this.#pause(held);
    const what =
      position < first
        ? `Messages ${position} to ${first - 1} of ${keyOf(held)} were deleted before they were read`
        : `${keyOf(held)} ends at ${end}, before message ${position}, which was to be read next: the topic was made anew, or lost what it had`;
    const { settings, at } = this.#stream;
    if (settings.on_lost === "fail") {
      const message = `${what}. With on_lost: dead_letter reading goes on with the first message that is there, ${first}.`;
      throw settingError("NOT_FOUND", message, `${at}.on_lost`);
    }
    this.#messages.begin(held);
    this.#messages.lost(position, `${what}.`, { topic, partition, from: position, to: first });
    held.next = first;
    held.end = this.#places.endOf(keyOf(held), first);
    yield this.#batch(held, first);
  }

  /** New partitions and topics, and the leaders of those that changed theirs. */
  async #look(): Promise<void> {
    const now = performance.now();
    const away = this.#away;
    const due = lookIn(away, now) ?? (this.#options.endless ? metadataMs : Number.POSITIVE_INFINITY);
    if (!this.#isAssigned || now - this.#lookedAt < due) return;
    this.#lookedAt = now;
    const isPatient = away.length > 0 && away.every(({ staleSince = now }) => now - staleSince < missingMs);
    const before = new Set(this.#partitions.map(keyOf));
    try {
      this.#partitions = await this.#stream.choice.partitions(this.#client);
    } catch (error) {
      // A broker that has just started does not know all topics at once.
      if (isPatient && error instanceof ConnectorError && error.code === "NOT_FOUND") return;
      throw error;
    }
    const leaders = new Map(this.#partitions.map((each) => [keyOf(each), each.leader]));
    for (const [key, held] of this.#held) {
      const leader = leaders.get(key);
      if (leader !== undefined) {
        // A new one has as long as the last one.
        if (leader !== held.leader && (held.isPaused || leader < 0)) held.staleSince = now;
        held.leader = leader;
        held.isPaused = leader < 0;
      }
      // Of a pattern: the topic was deleted.
      else if (!isPatient) this.#held.delete(key);
    }
    const after = new Set(leaders.keys());
    if (before.symmetricDifference(after).size > 0) {
      if (this.#group) this.#group.rejoin();
      else await this.#assigned(this.#partitions);
    } else if (this.#leaderless.some((each) => (leaders.get(keyOf(each)) ?? -1) >= 0)) {
      await this.#hold(this.#leaderless);
    }
  }

  async #topics(): Promise<readonly string[]> {
    return [...new Set(this.#partitions.map(({ topic }) => topic))];
  }

  async #counts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (topics.length === 0) return new Map();
    const found = await this.#client.metadata(topics);
    return new Map(found.map(({ topic, partitionMetadata }) => [topic, partitionMetadata.length]));
  }

  async #assigned(partitions: readonly TopicPartition[]): Promise<void> {
    // What was held before is others' by now, and theirs to commit.
    this.#mine = [];
    this.#held = new Map();
    const now = performance.now();
    const since = new Map(this.#leaderless.map((each) => [keyOf(each), each.staleSince]));
    const waited = partitions.map(({ topic, partition }) => {
      return { topic, partition, staleSince: since.get(keyOf({ topic, partition })) ?? now };
    });
    this.#leaderless = waited;
    await this.#hold(waited);
    this.#isAssigned = true;
    this.#wake.up();
  }

  /** Begins to read those that have a leader by now; the others go on being waited for. */
  async #hold(waited: readonly Away[]): Promise<void> {
    const leaders = new Map(this.#partitions.map((each) => [keyOf(each), each.leader]));
    const led = waited.map((each) => ({ ...each, leader: leaders.get(keyOf(each)) ?? -1 }));
    const committed = (await this.#group?.committed(led)) ?? new Map();
    const found = await this.#places.hold(led, this.#cursor, committed).catch((error: unknown) => {
      // A leader may be named before it knows that it is one.
      if (!isPassing(nameOf(error))) throw error;
      return new Map<string, Held>();
    });
    // The group has changed meanwhile.
    if (this.#leaderless !== waited) return;
    this.#leaderless = waited.filter((each) => !found.has(keyOf(each)));
    for (const [key, held] of found) {
      this.#held.set(key, held);
      this.#cursor = moved(this.#cursor, held.topic, held.partition, held.position);
    }
    this.#mine = [...this.#held.values()];
  }

  async #revoked(): Promise<void> {
    this.#isAssigned = false;
    this.#held = new Map();
    this.#leaderless = [];
    const until = performance.now() + revokeMs;
    while (!this.#isStored() && performance.now() < until && !this.#options.signal.aborted) {
      await this.#wake.sleep(Math.max(until - performance.now(), 1));
    }
  }

  /** Whether all that was handed out is in the log. */
  #isStored(): boolean {
    return this.#handedOut === undefined || JSON.stringify(this.#stored) === JSON.stringify(this.#handedOut);
  }

  #committed(commits: readonly Commit[]): void {
    const offsets = new Map(commits.map((commit) => [keyOf(commit), commit.offset]));
    for (const held of this.#mine) held.committed = Math.max(held.committed, offsets.get(keyOf(held)) ?? -1);
  }
}
