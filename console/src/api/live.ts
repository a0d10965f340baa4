import type { InfiniteData, Query, QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import type { Page } from "./client.ts";
import { type Connection, type EventListener, openEvents } from "./event-stream.ts";
import { queryClient } from "./queries.ts";
import type { Events, IntegrationEvent, LiveDetail, Node, OverviewItem, Run, RunDetail, Samples } from "./types.ts";

/** Of the tab's stream, and of that of the integration which it shows. */
const connections = new Map<string, Connection>();
const watchers = new Set<() => void>();
const listeners = new Set<EventListener>();

const setConnection = (stream: string) => (state: Connection | null) => {
  if (state === null) connections.delete(stream);
  else connections.set(stream, state);
  for (const watcher of watchers) watcher();
};

/** Of all streams the one that does worst. */
function connection(): Connection {
  const states = new Set(connections.values());
  if (states.has("lost")) return "lost";
  return states.has("connecting") || states.size === 0 ? "connecting" : "live";
}

/** Whether what is shown is live. */
export const useConnection = (): Connection =>
  useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, connection);

/** The tab's stream of events: what it brings is in the queries' cache at once. Mounted once, by the layout. */
export function useEvents(): void {
  useEffect(() => openEvents({ onEvent: intoCache(queryClient), onConnection: setConnection("all") }), []);
}

/** An integration's own stream, with its graph, while a page shows it: `liveQuery(id)` is live. */
export function useIntegrationEvents(id: string): void {
  useEffect(
    () =>
      openEvents({ integration: id, onEvent: intoCache(queryClient, id), onConnection: setConnection("integration") }),
    [id],
  );
}

/** Calls `listener` with each event of the tab's stream. It must stay the same between renderings. */
export function useServerEvent(listener: EventListener): void {
  useEffect(() => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, [listener]);
}

/** Who has scrolled far down a list reads there: asking for hundreds of pages again would move it under the eyes. */
const isShort = ({ state }: Query) => ((state.data as Partial<InfiniteData<unknown>>)?.pages?.length ?? 0) <= 5;

/** Puts what events bring into what was asked for before. `of`: the integration whose stream it is. */
export function intoCache(client: QueryClient, of?: string): EventListener {
  // Together, however many come at once.
  const soon = debounced((keys: ReadonlySet<string>) => {
    for (const key of keys) void client.invalidateQueries({ queryKey: JSON.parse(key), predicate: isShort });
  }, 1000);
  const invalidate = (...queryKey: string[]) => soon(JSON.stringify(queryKey));
  return (name, data) => {
    if (name === "ready" && of !== undefined) {
      // All else is the tab's own stream's.
      void client.invalidateQueries({ predicate: (query) => query.queryKey[1] === of && isShort(query) });
      return;
    }
    const handle = handlers[name] as (
      data: unknown,
      client: QueryClient,
      invalidate: (...key: string[]) => void,
    ) => void;
    handle?.(data, client, invalidate);
    for (const listener of listeners) listener(name, data);
  };
}

type Handlers = {
  readonly [Name in keyof Events]?: (
    data: Events[Name],
    client: QueryClient,
    invalidate: (...key: string[]) => void,
  ) => void;
};

/** What each event changes of what was asked for before. */
const handlers: Handlers = {
  // What ended or was removed while nobody listened is in no snapshot.
  ready: (_, client) =>
    void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "me" && isShort(query) }),
  integration: (event, client, invalidate) => {
    const known = patchList<OverviewItem>(client, ["overview"], event.id, (item) =>
      overviewItem(item, event, invalidate),
    );
    if (!known || event.removed) invalidate("overview");
    if (event.removed) return invalidate("integration", event.id);
    client.setQueryData<LiveDetail>(["live", event.id], (live) => live && withLive(live, event.live));
    client.setQueryData<{ version: number }>(["integration", event.id], (integration) => {
      // Somebody changed it: what it is now is asked for.
      if (integration && event.version > integration.version) invalidate("integration", event.id);
      const { live: _, id: __, version: ___, ...state } = event;
      return integration && { ...integration, ...state };
    });
  },
  run: (run, client, invalidate) => {
    client.setQueryData<RunDetail>(["run", run.id], (detail) => detail && { ...detail, ...run });
    if (run.status !== "running") invalidate("run", run.id);
    const known = patchList<Run>(client, ["runs", run.integration_id], run.id, (former) => ({ ...former, ...run }));
    if (!known) invalidate("runs", run.integration_id);
    patchList<OverviewItem>(client, ["overview"], run.integration_id, (item) =>
      item.last_run !== null && item.last_run.started_at > run.started_at ? item : { ...item, last_run: run },
    );
  },
  dead_letters: ({ integration_id: id, depth }, client, invalidate) => {
    patchList<OverviewItem>(client, ["overview"], id, (item) => {
      if ((item.live.dead_letters ?? 0) > 0 !== depth > 0) invalidate("overview");
      return { ...item, live: { ...item.live, dead_letters: depth } };
    });
    client.setQueryData<LiveDetail>(["live", id], (live) => live && { ...live, dead_letters: depth });
    invalidate("dead-letters", id);
  },
  job: (job, client, invalidate) => {
    client.setQueryData(["job", job.id], job);
    if (!patchList(client, ["jobs", job.integration_id], job.id, () => job)) invalidate("jobs", job.integration_id);
  },
  node: (node, client, invalidate) => {
    client.setQueryData<Page<Node>>(["nodes"], (page) => {
      if (page === undefined) return undefined;
      if (node.state === "gone") return { ...page, items: page.items.filter(({ id }) => id !== node.id) };
      if (!page.items.some(({ id }) => id === node.id)) invalidate("nodes");
      return { ...page, items: page.items.map((each) => (each.id === node.id ? node : each)) };
    });
  },
};

/** Whether a list under `queryKey` has it. */
function patchList<T extends { readonly id: string }>(
  client: QueryClient,
  queryKey: readonly string[],
  id: string,
  change: (item: T) => T,
): boolean {
  let found = false;
  client.setQueriesData<InfiniteData<Page<T>>>({ queryKey }, (data) => {
    const at = data?.pages.findIndex(({ items }) => items.some((item) => item.id === id)) ?? -1;
    if (data === undefined || at < 0) return data;
    found = true;
    const page = data.pages[at] as Page<T>;
    const items = page.items.map((item) => (item.id === id ? change(item) : item));
    return { ...data, pages: data.pages.with(at, { ...page, items }) };
  });
  return found;
}

function overviewItem(item: OverviewItem, event: IntegrationEvent, invalidate: (key: string) => void): OverviewItem {
  if (event.removed) return item;
  const { live, id: _, version, ...state } = event;
  // Its place among the others may be another one.
  if (state.health !== item.health || state.enabled !== item.enabled || version !== item.version)
    invalidate("overview");
  return { ...item, ...state, version, live: withLive(item.live, live) };
}

const withLive = <T extends { readonly at: string | null; readonly samples: Samples }>(
  former: T,
  live: Exclude<IntegrationEvent, { removed: true }>["live"],
): T => ({ ...former, ...live, samples: live.samples ?? longer(former.samples, former.at, live) });

/** With a value for each second since. */
function longer(
  samples: Samples,
  from: string | null,
  live: Pick<LiveDetail, "at" | "records_in_per_second" | "records_out_per_second" | "records_failed_per_second">,
): Samples {
  if (live.at === null) return samples;
  const seconds = from === null ? 1 : Math.round((Date.parse(live.at) - Date.parse(from)) / 1000);
  if (seconds < 1) return samples;
  const append = (values: readonly number[], value: number) =>
    [...values, ...Array.from({ length: Math.min(seconds, 60) }, () => value)].slice(-60);
  return {
    ...samples,
    in: append(samples.in, live.records_in_per_second),
    out: append(samples.out, live.records_out_per_second),
    failed: append(samples.failed, live.records_failed_per_second),
  };
}

function debounced(work: (keys: ReadonlySet<string>) => void, ms: number): (key: string) => void {
  let keys = new Set<string>();
  return (key) => {
    if (keys.size === 0) {
      setTimeout(() => {
        const all = keys;
        keys = new Set();
        work(all);
      }, ms);
    }
    keys.add(key);
  };
}
