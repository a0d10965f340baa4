import { keepPreviousData, QueryClient, queryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, type CallOptions, type Page } from "./client.ts";
import { toProblem } from "./problem.ts";
import type { Integration, Job, LiveDetail, Me, RunDetail } from "./types.ts";

/** What the server tells by events is not asked for again (live.ts); what passes by itself is tried again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 2 && toProblem(error).mayPass,
    },
    mutations: { retry: false },
  },
});

/** Keys: the resource, then the id of what it belongs to, then its filters. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => api.get<Me>("/v1/me", {}, signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export const integrationQuery = (id: string) =>
  queryOptions({
    queryKey: ["integration", id],
    queryFn: ({ signal }) => api.get<Integration>(`/v1/integrations/${id}`, {}, signal),
  });

export const liveQuery = (id: string) =>
  queryOptions({
    queryKey: ["live", id],
    queryFn: ({ signal }) => api.get<LiveDetail>(`/v1/integrations/${id}/live`, {}, signal),
  });

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => api.get<RunDetail>(`/v1/runs/${id}`, {}, signal),
  });

export const jobQuery = (id: string) =>
  queryOptions({ queryKey: ["job", id], queryFn: ({ signal }) => api.get<Job>(`/v1/jobs/${id}`, {}, signal) });

/**
 * A list of the API, page by page, for a `Table`. `key`: as of every query, without the filters. Filters that change
 * leave the former rows in sight until the new ones are there.
 */
export function useList<T, P extends Page<T> = Page<T>>(
  key: readonly string[],
  path: string,
  filters: NonNullable<CallOptions["query"]> = {},
) {
  const list = useInfiniteQuery({
    queryKey: [...key, filters],
    queryFn: ({ pageParam, signal }) => api.get<P>(path, { limit: 100, ...filters, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    placeholderData: keepPreviousData,
  });
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = list;
  // Asked for again as somebody scrolls on, and not at once and again and again.
  const hasJustFailed = () => list.isFetchNextPageError && Date.now() - list.errorUpdatedAt < 2_000;
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  return {
    /** Undefined: not there yet. */
    rows,
    /** The first page, with what it says besides its items. */
    first: data?.pages[0],
    /** Why there is nothing to show. What is there stays while nobody answers: the corner says that it is not live. */
    error: error === null || rows !== undefined ? null : toProblem(error),
    isLoadingMore: isFetchingNextPage,
    /** Whether there are more than `rows`. */
    hasMore: hasNextPage,
    loadMore: () => {
      if (hasNextPage && !isFetchingNextPage && !hasJustFailed()) void fetchNextPage();
    },
    retry: () => void refetch(),
  };
}
