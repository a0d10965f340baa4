import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { LiveDetail } from "../../runtime/ports/live.ts";
import type { IntegrationRow } from "../../runtime/ports/store.ts";
import type { Scope } from "../auth/index.ts";
import { found, type ServiceContext } from "./context.ts";
import {
  depthEvent,
  type EventHub,
  integrationEvent,
  jobEvent,
  type LiveEvent,
  nodeEvent,
  runEvent,
} from "./event-hub.ts";
import { nobodys } from "./live.ts";

/** A connection over which nothing comes is dead: this comes at least. */
export const beatMs = 10_000;
/** With a graph. */
const detailMs = 1_000;
/** Of what waits for a client, each the latest of its key. Who has more waiting reads too slowly. */
const heldMax = 10_000;
const pageSize = 200;

/** What of the events a caller may see, besides whose. */
const scopeOf: Readonly<Record<LiveEvent["event"], Scope>> = {
  integration: "integrations:read",
  run: "runs:read",
  dead_letters: "dead-letters:read",
  job: "dead-letters:read",
  node: "platform:read",
};

interface ToldEvent {
  readonly event: LiveEvent["event"] | "hello" | "ready";
  readonly data: JsonObject;
}

/**
 * Events, several at once where they came so, and none every ten seconds at least. Ends when the signal aborts, and
 * throws where too much waits.
 */
export class EventStream {
  readonly told: (signal: AbortSignal) => AsyncGenerator<readonly ToldEvent[]>;

  constructor(told: (signal: AbortSignal) => AsyncGenerator<readonly ToldEvent[]>) {
    this.told = told;
  }
}

/** How everything does and what happens, as it changes, begun by how it is now. */
export function eventService({ store, live, nodes, hub }: ServiceContext & { readonly hub: EventHub }) {
  /** Of one integration, or of all that the caller may see. Throws NOT_FOUND. */
  return async (integrationId: string | null, scopes: ReadonlySet<Scope>): Promise<EventStream> => {
    if (integrationId !== null) found(await store.integrations.get(integrationId), "integration", integrationId);
    const may = (event: LiveEvent["event"]) => scopes.has(scopeOf[event]);

    async function* rows(): AsyncGenerator<readonly IntegrationRow[]> {
      if (integrationId !== null) {
        const row = await store.integrations.get(integrationId);
        if (row !== null) yield [row];
        return;
      }
      for (let cursor: string | null = null; ; ) {
        const page = await store.integrations.list({ limit: pageSize, cursor });
        yield page.items;
        if (page.nextCursor === null) return;
        cursor = page.nextCursor;
      }
    }

    async function* snapshot(seen: Set<string>): AsyncGenerator<LiveEvent> {
      for await (const page of rows()) {
        const figures = integrationId === null ? await live.describe(page.map(({ id }) => id)) : null;
        for (const row of page) {
          seen.add(row.id);
          const one = figures?.get(row.id) ?? (figures === null ? await live.detail(row.id) : null) ?? nobodys(row);
          yield figures === null ? detailEvent(one as LiveDetail) : integrationEvent(listed(one));
          const depth = one.live.dead_letters;
          if (depth !== null) yield depthEvent(row.id, depth);
        }
      }
      const running = may("run") ? await store.runs.running(integrationId ?? undefined) : [];
      for (const { cancelRequestedAt: _, startedAt, ...run } of running) {
        yield runEvent({ ...run, startedAt: startedAt.toISOString(), finishedAt: null });
      }
      const jobs = may("job") ? await store.replays.unfinished(integrationId) : [];
      for (const job of jobs) yield jobEvent(job);
      if (may("node")) for (const node of await nodes.list()) yield nodeEvent(node);
    }

    async function* told(signal: AbortSignal): AsyncGenerator<readonly ToldEvent[]> {
      const held = new Map<string, LiveEvent>();
      /** Integrations that the caller may see, and those that it may not. */
      const seen = new Set<string>();
      const unseen = new Set<string>();
      let wake = Promise.withResolvers<void>();
      const hold = (event: LiveEvent) => {
        // In the order of the latest of each. What is one too many ends the stream.
        if (held.size > heldMax) return;
        held.delete(event.key);
        held.set(event.key, event);
        wake.resolve();
      };
      const stopListening = hub.listen((event) => {
        const { integrationId: of } = event;
        if (!may(event.event) || (of !== null && unseen.has(of))) return;
        if (integrationId !== null && of !== null && of !== integrationId) return;
        // With its graph it comes by itself.
        if (integrationId !== null && event.event === "integration" && event.data.removed !== true) return;
        hold(event);
      });
      let lookedAt = "";
      const look = async () => {
        const detail = await live.detail(integrationId as string).catch(() => null);
        if (detail === null) return;
        const text = JSON.stringify({
          ...detail,
          samples: null,
          live: { ...detail.live, at: null, freshness_seconds: null },
        });
        if (text === lookedAt) return;
        lookedAt = text;
        hold(detailEvent(detail));
      };
      const looking = integrationId === null ? undefined : setInterval(() => void look(), detailMs);
      let beaten = false;
      const beat = setInterval(() => {
        beaten = true;
        wake.resolve();
      }, beatMs);
      const end = () => wake.resolve();
      signal.addEventListener("abort", end, { once: true });
      try {
        yield [{ event: "hello", data: { beat_seconds: beatMs / 1000 } }];
        for await (const { event, data } of snapshot(seen)) if (may(event)) yield [{ event, data }];
        yield [{ event: "ready", data: {} }];
        while (!signal.aborted) {
          await wake.promise;
          wake = Promise.withResolvers<void>();
          if (held.size > heldMax) throw new Error("too much waits for a client");
          const events = [...held.values()];
          held.clear();
          await tellApart(events, seen, unseen);
          const own = events.filter(({ integrationId: of }) => of === null || seen.has(of));
          const isDue = own.length > 0 || beaten;
          beaten = false;
          if (isDue && !signal.aborted) yield own;
        }
      } finally {
        stopListening();
        clearInterval(looking);
        clearInterval(beat);
        signal.removeEventListener("abort", end);
      }
    }

    /** What is not known yet is asked of the store, which knows whose it is. An integration does not change its team. */
    async function tellApart(events: readonly LiveEvent[], seen: Set<string>, unseen: Set<string>): Promise<void> {
      const ids = new Set(events.flatMap(({ integrationId: of }) => (of === null || seen.has(of) ? [] : [of])));
      if (ids.size === 0) return;
      const own = await store.integrations.known([...ids]);
      for (const id of ids) (own.includes(id) ? seen : unseen).add(id);
    }

    return new EventStream(told);
  };
}

const listed = ({
  id,
  name,
  enabled,
  version,
  health,
  health_reason,
  live,
}: Parameters<typeof integrationEvent>[0]) => ({
  ...{ id, name, enabled, version, health, health_reason, live },
});

function detailEvent({ samples, graph, live, ...one }: LiveDetail): LiveEvent {
  const event = integrationEvent({ ...one, live });
  return { ...event, data: { ...event.data, live: { ...live, samples, graph } as unknown as JsonObject } };
}
