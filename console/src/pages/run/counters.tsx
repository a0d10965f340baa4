import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ChartLine } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo } from "react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import type { RunDetail, Series } from "../../api/types.ts";
import { SelectField } from "../../components/field.tsx";
import { Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { count, rate } from "../../lib/format.ts";
import { type SeriesKind, seriesLines } from "./series-lines.ts";

const Plot = lazy(() => import("../../components/plot.tsx").then(({ Plot: it }) => ({ default: it })));
const route = getRouteApi("/signed-in/runs/$id");
const kinds = [
  { id: "rate", label: "Records a second" },
  { id: "total", label: "Records in all" },
] as const;
const perSecond = (value: number) => `${rate(value)}/s`;

/** A run's counters over time. Their points come anew as the run's own counters move, by events. */
export function Counters({ run }: { readonly run: RunDetail }) {
  const { plot: kind = "rate" } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, refetch } = useQuery({
    queryKey: ["series", run.id],
    queryFn: ({ signal }) => api.get<Series>(`/v1/runs/${run.id}/series`, {}, signal),
  });
  const moved = [run.status, run.records_in, run.records_out, run.records_filtered, run.records_failed].join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what moved is the reason
  useEffect(() => {
    const last = data?.points.at(-1);
    const isBehind = last === undefined || last.records_in < run.records_in || last.records_out < run.records_out;
    if (isBehind || run.status !== "running") void refetch({ cancelRefetch: false });
  }, [moved, refetch]);
  const lines = useMemo(() => data && seriesLines(data, kind), [data, kind]);
  const shown = kinds.find(({ id }) => id === kind)?.label;
  if (lines === undefined)
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={6} />;
  const { times, series } = lines;
  return (
    <Panel
      title="Over time"
      actions={
        <SelectField<SeriesKind>
          label="Show"
          options={kinds}
          value={kind}
          onChange={(chosen) =>
            void navigate({
              search: (former) => ({ ...former, plot: chosen === "rate" ? undefined : chosen }),
              replace: true,
            })
          }
        />
      }
    >
      {times.length < 2 ? (
        <Empty title="There is nothing to draw yet" icon={<ChartLine size={28} aria-hidden />}>
          <p>The counters are noted as the run goes on.</p>
        </Empty>
      ) : (
        <Suspense fallback={<Skeleton lines={6} />}>
          <Plot
            key={kind}
            label={`${shown} over time: ${count(run.records_in)} in, ${count(run.records_out)} out, ${count(run.records_filtered)} filtered, ${count(run.records_failed)} failed by now`}
            times={times}
            series={series}
            height={260}
            format={kind === "rate" ? perSecond : count}
          />
        </Suspense>
      )}
    </Panel>
  );
}
