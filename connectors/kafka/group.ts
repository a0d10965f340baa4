import { ConnectorError } from "../sdk/index.ts";
import { nameOf } from "./errors.ts";
import { type Broker, type KafkaClient, MemberAssignment, MemberMetadata } from "./kafkajs.ts";
import type { TopicPartition } from "./topics.ts";
import { Wake } from "./wake.ts";

/** Understood by Java's clients, so that they may be members too. */
const protocol = "range";
const tickMs = 1_000;
const patienceMs = 30_000;
const pauseMs = 200;
const leaveMs = 4_000;

/** A coordinator that is another broker by now, or is not ready: the membership lasts. */
const moving: ReadonlySet<string> = new Set([
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
]);

export interface Commit extends TopicPartition {
  readonly offset: number;
}

/** Who reads what the group assigns. */
export interface Reader {
  /** The topics that are wanted now. */
  topics(): Promise<readonly string[]>;
  /** Number of partitions of topics, by name. */
  counts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Nothing is assigned from now on; resolves when what was read is in the log, or was waited for long enough. */
  revoked(): Promise<void>;
  assigned(partitions: readonly TopicPartition[]): Promise<void>;
  /** What may be committed and was not yet. */
  commits(): readonly Commit[];
  committed(commits: readonly Commit[]): void;
  failed(error: unknown): void;
}

export interface GroupOptions {
  readonly group: string;
  readonly sessionMs: number;
  /** Kept with each commit: tells whose it is. */
  readonly metadata: string;
}

/**
 * Membership in a consumer group, going on by itself beside the reading: it must not end because nobody wants records.
 * Before each rebalance what was read is waited for, for a while, and committed as far as it is in the log, so that the
 * next owner of a partition goes on right there.
 */
export class GroupMember {
  readonly #client: KafkaClient;
  readonly #options: GroupOptions;
  readonly #reader: Reader;
  readonly #wake = new Wake();
  #state: "joining" | "member" | "left" = "joining";
  #coordinator = -1;
  #memberId = "";
  #generation = -1;
  #rejoins = false;
  /** Whether what was refused last may be asked of the coordinator as it is a moment later. */
  #hasMoved = false;
  #done: Promise<void> = Promise.resolve();

  constructor(client: KafkaClient, options: GroupOptions, reader: Reader) {
    this.#client = client;
    this.#options = options;
    this.#reader = reader;
  }

  start(): void {
    this.#done = this.#live().catch((error: unknown) => this.#reader.failed(error));
  }

  /** The topics changed. */
  rejoin(): void {
    this.#rejoins = true;
    this.#wake.up();
  }

  /** Commits and leaves, as far as the broker answers soon. */
  async leave(): Promise<void> {
    const wasMember = this.#state === "member";
    this.#state = "left";
    this.#wake.up();
    // The others need not wait for one that has been joining either.
    if (this.#memberId === "") return;
    const parting = (async () => {
      if (wasMember) await this.#commit();
      await this.#call((broker) => broker.leaveGroup({ groupId: this.#options.group, memberId: this.#memberId }));
    })();
    await Promise.race([Promise.allSettled([parting, this.#done]), this.#wake.sleep(leaveMs)]);
  }

  /** What the group has committed, by whomever: of these partitions, in their order. */
  async committed(
    partitions: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, { offset: number; metadata: string }>> {
    const { group: groupId } = this.#options;
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, each]) => ({
      topic,
      partitions: each.map(({ partition }) => ({ partition })),
    }));
    if (topics.length === 0) return new Map();
    const { responses } = await this.#call((broker) => broker.offsetFetch({ groupId, topics }));
    const found = responses.flatMap(({ topic, partitions }) =>
      partitions
        .filter(({ offset }) => Number(offset) >= 0)
        .map(
          ({ partition, offset, metadata }) =>
            [`${topic}/${partition}`, { offset: Number(offset), metadata: metadata ?? "" }] as const,
        ),
    );
    return new Map(found);
  }

  async #live(): Promise<void> {
    while (this.#state !== "left") {
      await this.#join();
      await this.#stay();
      if (this.#isLeft()) return;
      await this.#part();
      if (this.#isLeft()) return;
      this.#state = "joining";
    }
  }

  #isLeft(): boolean {
    return this.#state === "left";
  }

  /** Until the next rebalance. */
  async #stay(): Promise<void> {
    const beatMs = this.#beatMs;
    for (let beatAt = performance.now(); this.#state === "member" && !this.#rejoins; ) {
      if (!(await this.#commit())) return;
      await this.#wake.sleep(Math.min(tickMs, beatMs));
      if (this.#isLeft()) return;
      if (performance.now() - beatAt < beatMs) continue;
      beatAt = performance.now();
      if (!(await this.#asMember(() => this.#beat()))) return;
    }
  }

  /** Before a rebalance: what was read is waited for and committed. Heartbeats go on, or the session might end. */
  async #part(): Promise<void> {
    let waits = true;
    const revoked = this.#reader.revoked().then(() => {
      waits = false;
    });
    while (waits && !this.#isLeft()) {
      await Promise.race([revoked, this.#wake.sleep(this.#beatMs)]);
      if (waits && !this.#isLeft() && this.#memberId !== "") await this.#asMember(() => this.#beat());
      if (this.#hasMoved) await this.#asMember(() => this.#find());
    }
    // Where the coordinator moved the new one takes the commit, while the session lasts.
    const until = performance.now() + this.#options.sessionMs / 2;
    while (!this.#isLeft() && !(await this.#commit())) {
      if (!this.#hasMoved || performance.now() > until) return;
      await this.#wake.sleep(pauseMs);
      await this.#asMember(() => this.#find());
    }
  }

  get #beatMs(): number {
    return Math.min(this.#options.sessionMs / 3, 3_000);
  }

  #beat(): Promise<unknown> {
    const { group: groupId } = this.#options;
    const member = { groupId, memberId: this.#memberId, groupGenerationId: this.#generation };
    return this.#call((broker) => broker.heartbeat(member));
  }

  async #find(): Promise<void> {
    this.#coordinator = await this.#client.coordinator(this.#options.group);
  }

  async #join(): Promise<void> {
    const { group: groupId, sessionMs } = this.#options;
    const until = performance.now() + patienceMs;
    for (;;) {
      if (this.#isLeft()) return;
      this.#rejoins = false;
      const topics = await this.#reader.topics();
      const metadata = MemberMetadata.encode({ version: 1, topics: [...topics], userData: Buffer.alloc(0) });
      try {
        await this.#find();
        const joined = await this.#call((broker) =>
          broker.joinGroup({
            groupId,
            sessionTimeout: sessionMs,
            rebalanceTimeout: patienceMs,
            memberId: this.#memberId,
            groupProtocols: [{ name: protocol, metadata }],
          }),
        );
        this.#memberId = joined.memberId;
        this.#generation = joined.generationId;
        const isLeader = joined.leaderId === joined.memberId;
        const groupAssignment = isLeader ? await this.#assign(joined.members) : [];
        const { generationId, memberId } = joined;
        const synced = await this.#call((broker) =>
          broker.syncGroup({ groupId, generationId, memberId, groupAssignment }),
        );
        const assignment = MemberAssignment.decode(synced.memberAssignment)?.assignment ?? {};
        if (this.#isLeft()) return;
        this.#state = "member";
        await this.#reader.assigned(
          Object.entries(assignment).flatMap(([topic, partitions]) =>
            partitions.map((partition) => ({ topic, partition })),
          ),
        );
        return;
      } catch (error) {
        if (!this.#mayJoinAgain(error) || performance.now() > until) throw error;
        await this.#wake.sleep(pauseMs);
      }
    }
  }

  /** Partitions of each topic in ranges, to its subscribers in the order of their ids. */
  async #assign(members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]) {
    const wanted = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      topics: new Set(MemberMetadata.decode(memberMetadata)?.topics ?? []),
      assignment: {} as Record<string, number[]>,
    }));
    wanted.sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
    const counts = await this.#reader.counts([...new Set(wanted.flatMap(({ topics }) => [...topics]))]);
    for (const [topic, count] of counts) {
      const takers = wanted.filter(({ topics }) => topics.has(topic));
      for (const [index, { assignment }] of takers.entries()) {
        const [start, end] = [index, index + 1].map((each) => Math.ceil((count * each) / takers.length)) as [
          number,
          number,
        ];
        if (end > start) assignment[topic] = Array.from({ length: end - start }, (_, each) => start + each);
      }
    }
    return wanted.map(({ memberId, assignment }) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) }),
    }));
  }

  /** False: the group has to be joined again. */
  async #commit(): Promise<boolean> {
    if (this.#generation < 0) return true;
    const commits = this.#reader.commits();
    if (commits.length === 0) return true;
    const { group: groupId, metadata } = this.#options;
    const topics = [...Map.groupBy(commits, ({ topic }) => topic)].map(([topic, each]) => ({
      topic,
      partitions: each.map(({ partition, offset }) => ({ partition, offset: String(offset), metadata })),
    }));
    const member = { groupId, memberId: this.#memberId, groupGenerationId: this.#generation };
    return this.#asMember(async () => {
      await this.#call((broker) => broker.offsetCommit({ ...member, topics }));
      this.#reader.committed(commits);
    });
  }

  /** False where the group goes on without this member as it was. */
  async #asMember(ask: () => Promise<unknown>): Promise<boolean> {
    try {
      await ask();
      this.#hasMoved = false;
      return true;
    } catch (error) {
      if (!this.#mayJoinAgain(error)) throw error;
      this.#hasMoved = moving.has(nameOf(error) ?? "");
      return false;
    }
  }

  #mayJoinAgain(error: unknown): boolean {
    const name = nameOf(error);
    switch (name) {
      case "UNKNOWN_MEMBER_ID":
      case "FENCED_INSTANCE_ID":
        this.#memberId = "";
        return true;
      case "REBALANCE_IN_PROGRESS":
      case "ILLEGAL_GENERATION":
      case "MEMBER_ID_REQUIRED":
        return true;
      default:
        return name !== undefined && moving.has(name);
    }
  }

  async #call<T>(ask: (broker: Broker) => Promise<T>): Promise<T> {
    if (this.#coordinator < 0) {
      throw new ConnectorError("UNAVAILABLE", "The group's coordinator is not known yet.", { fault: "transient" });
    }
    return this.#client.call(this.#coordinator, ask);
  }
}
