import { useQuery } from "@tanstack/react-query";
import { connectorQuery, sampleQuery, streamsQuery } from "../../api/connectors.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Json, Stream } from "../../api/types.ts";
import { useMay } from "../../layout/me.ts";
import type { EndDraft } from "./draft.ts";

interface Found {
  /** What the far side has; undefined: not known. */
  readonly streams: readonly Stream[] | undefined;
  /** The one that is chosen. */
  readonly stream: Stream | undefined;
  readonly error: Problem | null;
  readonly isLoading: boolean;
  readonly retry: () => void;
}

/** The streams of the connector that is chosen, as its far side tells them. */
export function useStreams({ connector, type, stream }: EndDraft): Found {
  const mayTest = useMay("connectors:test");
  const isChosen = connector !== null && type === null;
  const known = useQuery({ ...connectorQuery(connector?.id ?? ""), enabled: isChosen });
  const { data, error, isLoading, refetch } = useQuery({
    ...streamsQuery({ id: connector?.id ?? "", version: known.data?.version ?? 0 }),
    enabled: isChosen && mayTest && known.data !== undefined,
  });
  const failed = known.error ?? error;
  return {
    streams: isChosen ? data : undefined,
    stream: isChosen ? data?.find(({ name }) => name === stream.trim()) : undefined,
    error: failed === null ? null : toProblem(failed),
    isLoading: known.isLoading || isLoading,
    retry: () => void (known.error ? known.refetch() : refetch()),
  };
}

/** The first records of the stream that is chosen; undefined: not there yet. */
export function useSample({ connector }: EndDraft, stream: Stream | undefined) {
  const mayTest = useMay("connectors:test");
  const known = useQuery({ ...connectorQuery(connector?.id ?? ""), enabled: connector !== null });
  const { data, error, isLoading, refetch } = useQuery({
    ...sampleQuery({ id: connector?.id ?? "", version: known.data?.version ?? 0 }, stream?.name ?? ""),
    enabled: mayTest && stream !== undefined && known.data !== undefined,
  });
  return {
    records: data as readonly Json[] | undefined,
    error: error === null ? null : toProblem(error),
    isLoading,
    retry: () => void refetch(),
  };
}
