import { StorageType } from "@nats-io/jetstream";
import { type KV, Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Cluster } from "../../runtime/ports/cluster.ts";
import { isNoResponders, reasonOfThrown } from "./errors.ts";
import type { NatsLink } from "./link.ts";
import { foundStream } from "./stream.ts";

export interface ClusterOptions {
  readonly link: NatsLink;
  /** Letters, digits, `-`, `_`, `.`; unique among the nodes, and the same again after a restart. */
  readonly nodeId: string;
  readonly replicas?: number;
}

const bucket = "sluice-nodes";
/** A node is gone when it was not heard of for so long. */
const lifeMs = 3_000;
const beatMs = 1_000;
/** After so long without a confirmed beat the bucket is away, for the others too: nobody is taken for gone. */
const silentMs = 2_500;
/** A server that is cut off from its cluster keeps its clients, and does nothing for them: another one is tried. */
const cutOffMs = 6_000;

/** A node's entry in the bucket. */
interface Entry {
  readonly at: string;
  readonly leaving?: true;
}

/**
 * Lists the live nodes as keys of a KV bucket, each with a time to live that its node renews every second; the server
 * tells the others when one runs out. While this node cannot see the bucket it keeps the members it knew.
 */
export async function joinCluster({ link, nodeId, replicas = 1 }: ClusterOptions): Promise<Cluster> {
  if (!/^[\w-]+(\.[\w-]+)*$/.test(nodeId)) throw new Error(`"${nodeId}" is no id of a node`);
  const closing = new AbortController();
  const listeners = new Set<(members: readonly string[]) => void>();
  let leaving = false;
  let members: readonly string[] = [nodeId];
  /** Of the live nodes, whether they leave. */
  let alive: ReadonlyMap<string, boolean> = new Map([[nodeId, false]]);
  /** Until then nobody is taken for gone: keys ran out while the server was away, though their nodes were not. */
  let holdUntil = 0;
  let beatenAt = performance.now();
  let movedAt = 0;
  let holding: NodeJS.Timeout | undefined;

  const settle = () => {
    const time = performance.now();
    const left = time - beatenAt > silentMs ? lifeMs : holdUntil - time;
    const now = new Set([...alive.keys(), ...(left > 0 ? members : []), nodeId]);
    clearTimeout(holding);
    if (left > 0 && now.size > alive.size) holding = setTimeout(settle, left);
    for (const [node, leaves] of alive) if (leaves) now.delete(node);
    if (leaving) now.delete(nodeId);
    if (now.size === members.length && members.every((member) => now.has(member))) return;
    members = [...now].sort();
    for (const listener of [...listeners]) listener(members);
  };

  const openBucket = async () => {
    const { copies: kept } = await foundStream(link, `KV_${bucket}`);
    if (kept > 0 && kept < replicas) await link.jsm.streams.update(`KV_${bucket}`, { num_replicas: replicas });
    return new Kvm(link.js).create(bucket, {
      history: 1,
      storage: StorageType.File,
      replicas: Math.max(kept, replicas),
      markerTTL: lifeMs,
    });
  };
  const beat = async () => {
    try {
      const entry: Entry = { at: new Date().toISOString(), ...(leaving && { leaving }) };
      await link.call(() =>
        link.js.publish(`$KV.${bucket}.${nodeId}`, JSON.stringify(entry), {
          ttl: `${lifeMs / 1000}s`,
          timeout: 2_000,
        }),
      );
      const time = performance.now();
      if (time - beatenAt > silentMs) holdUntil = time + lifeMs;
      beatenAt = time;
      link.trouble(closing, undefined);
    } catch (error) {
      if (!link.connected) return;
      link.trouble(closing, `the node cannot renew its place in the cluster: ${reasonOfThrown(error)}`);
      if (link.connection.info?.cluster === undefined || performance.now() - Math.max(beatenAt, movedAt) < cutOffMs) {
        return;
      }
      movedAt = performance.now();
      await link.connection.reconnect().catch(() => {});
    }
  };

  let watched: QueuedIterator<KvWatchEntry> | undefined;
  /** Resolves when the bucket has been read once: nobody starts to work for the others that it has not yet seen. */
  const watch = async (kv: KV) => {
    const entries = await kv.watch({ key: ">" });
    watched?.stop();
    watched = entries;
    await new Promise<void>((resolve, reject) => {
      const over = () => {
        reject(new Error("the nodes of the cluster are watched no more"));
        if (entries === watched && !signal.aborted) void enterAnew().catch(() => {});
      };
      follow(entries, resolve).then(over, over);
    });
  };
  const follow = async (entries: QueuedIterator<KvWatchEntry>, onComplete: () => void) => {
    const seen = new Map<string, boolean>();
    let complete = false;
    for await (const entry of entries) {
      if (entry.operation === "PUT") seen.set(entry.key, entry.json<Entry>().leaving === true);
      else seen.delete(entry.key);
      // The first entries are the bucket as it is, which counts once it is whole.
      complete ||= entry.delta === 0;
      if (!complete || entries !== watched) continue;
      alive = new Map(seen);
      settle();
      onComplete();
    }
  };

  const signal = closing.signal;
  const enter = async () => {
    const kv = await openBucket();
    await beat();
    await watch(kv);
  };
  let entering: Promise<void> | undefined;
  /** One at a time, or each would end the other's watch. A loss of the connection has the one under way begin again. */
  const enterAnew = () => {
    entering ??= link.retry(enter, { signal }).finally(() => {
      entering = undefined;
    });
    return entering;
  };
  await enterAnew();
  let beating = Promise.resolve();
  const pulse = setInterval(() => {
    if (link.connected) beating = beat();
  }, beatMs);
  // A restarted server has forgotten who watches: watch anew, rather than wait until the client notices.
  const offChange = link.onChange((connected) => {
    if (!connected) return;
    holdUntil = performance.now() + lifeMs;
    void enterAnew().catch(() => {});
  });

  const subjectOf = (subject: string) => `sluice.control.${subject}`;
  return {
    nodeId,
    members: () => members,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    publish(subject, message) {
      if (!link.connection.isClosed()) link.connection.publish(subjectOf(subject), JSON.stringify(message));
    },
    subscribe(subject, listener) {
      const subscription = link.connection.subscribe(subjectOf(subject), {
        callback: (error, message) => {
          if (error === null) listener(message.json<Json>());
        },
      });
      return () => subscription.unsubscribe();
    },
    async ask(subject, message, timeoutMs) {
      const others = new Set([...alive.keys(), ...members]);
      others.delete(nodeId);
      const asked = Array.from(others, async (node) => {
        try {
          const request = () =>
            link.connection.request(subjectOf(`${subject}.${node}`), JSON.stringify(message), { timeout: timeoutMs });
          return [(await link.call(request)).json<Json>()];
        } catch (error) {
          return isNoResponders(error) ? [] : [undefined];
        }
      });
      return (await Promise.all(asked)).flat();
    },
    answer(subject, answer) {
      const subscription = link.connection.subscribe(subjectOf(`${subject}.${nodeId}`), {
        callback: (error, message) => {
          if (error !== null) return;
          answer(message.json<Json>())
            .then((result) => link.connection.isClosed() || message.respond(JSON.stringify(result)))
            // Whoever asks takes silence for an answer, also where it is larger than the server takes.
            .catch(() => {});
        },
      });
      return () => subscription.unsubscribe();
    },
    leave() {
      leaving = true;
      if (link.connected) beating = beat();
      settle();
    },
    async close() {
      closing.abort(new Error("the node has left the cluster"));
      clearInterval(pulse);
      clearTimeout(holding);
      offChange();
      listeners.clear();
      watched?.stop();
      await beating;
      link.trouble(closing, undefined);
      if (!link.connected) return;
      // Where this fails the key runs out by itself.
      await link.call(async () => (await openBucket()).purge(nodeId, { ttl: `${lifeMs / 1000}s` })).catch(() => {});
    },
  };
}
