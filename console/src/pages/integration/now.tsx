import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Table2, Waypoints } from "lucide-react";
import { lazy, Suspense } from "react";
import { toProblem } from "../../api/problem.ts";
import { liveQuery } from "../../api/queries.ts";
import type { Graph, Integration, LiveDetail } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Figure, Figures, Panel } from "../../components/page.tsx";
import { Sparkline } from "../../components/sparkline.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { duration, percent, rate, shortCount } from "../../lib/format.ts";
import { DeadLettersLink } from "./dead-letters-link.tsx";
import { GraphTable } from "./graph-table.tsx";
import { bottleneckText } from "./graph-words.tsx";
import styles from "./integration.module.css";

const GraphPicture = lazy(() => import("./graph-picture.tsx"));
const route = getRouteApi("/signed-in/integrations/$id");

/** What an integration does at this moment, as its owner tells it each second. */
export function Now({ integration: { id } }: { readonly integration: Integration }) {
  const { data: live, error, refetch } = useQuery(liveQuery(id));
  if (live === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={6} />;
  }
  return (
    <>
      <LiveFigures id={id} live={live} />
      <Way graph={live.graph} />
    </>
  );
}

const seconds = (value: number): string => duration(value * 1000);

function LiveFigures({ id, live }: { readonly id: string; readonly live: LiveDetail }) {
  const { latency, freshness_seconds: freshness, dead_letters: deadLetters, run_id: runId, samples } = live;
  return (
    <Panel title="At this moment">
      <Figures>
        <Figure name="In a second">{rate(live.records_in_per_second)}</Figure>
        <Figure name="Out a second">{rate(live.records_out_per_second)}</Figure>
        <Figure name="Failed a second">
          <Alarming of={live.records_failed_per_second}>{rate(live.records_failed_per_second)}</Alarming>
        </Figure>
        <Figure name="Last minute">
          <span className={styles.spark}>
            <Sparkline
              values={samples.out}
              failed={samples.failed}
              label="Records delivered in each of the last seconds"
            />
          </span>
        </Figure>
        <Figure name="Lag" title="Records in the logs that are not settled">
          {shortCount(live.lag)}
        </Figure>
        <Figure name="Errors" title="Share of records that failed within the last minute">
          <Alarming of={live.error_ratio}>{percent(live.error_ratio)}</Alarming>
        </Figure>
        <Figure name="Dead letters" title="Records that could not be delivered, and are not resolved">
          {deadLetters === null ? "–" : <DeadLettersLink id={id}>{shortCount(deadLetters)}</DeadLettersLink>}
        </Figure>
        <Figure name="Latency p50, p99" title="From ingest to destination, within the last minute">
          {latency === null ? "–" : `${seconds(latency.p50_seconds)}, ${seconds(latency.p99_seconds)}`}
        </Figure>
        <Figure name="Freshness" title="Age of the newest record at the destination that is furthest behind">
          {freshness === null ? "–" : seconds(freshness)}
        </Figure>
        <Figure name="Run">
          {runId === null ? (
            <span className="soft">none</span>
          ) : (
            <Link to="/runs/$id" params={{ id: runId }}>
              under way
            </Link>
          )}
        </Figure>
      </Figures>
    </Panel>
  );
}

function Way({ graph }: { readonly graph: Graph }) {
  const { graph: view = "picture" } = route.useSearch();
  const navigate = route.useNavigate();
  const isPicture = view === "picture";
  return (
    <Panel
      title="Way of the records"
      actions={
        <span className={styles.wideOnly}>
          <Button
            kind="quiet"
            icon={isPicture ? <Table2 size={16} aria-hidden /> : <Waypoints size={16} aria-hidden />}
            onPress={() =>
              void navigate({
                search: (former) => ({ ...former, graph: isPicture ? "table" : undefined }),
                replace: true,
              })
            }
          >
            {isPicture ? "As a table" : "As a picture"}
          </Button>
        </span>
      }
    >
      <p className={styles.bottleneck} data-there={graph.bottleneck !== null}>
        {bottleneckText(graph)}
      </p>
      {isPicture && (
        <div className={styles.wideOnly}>
          <Suspense fallback={<Skeleton lines={5} />}>
            <GraphPicture graph={graph} />
          </Suspense>
        </div>
      )}
      <div className={isPicture ? styles.besidePicture : undefined}>
        <GraphTable graph={graph} />
      </div>
    </Panel>
  );
}

/** Seen by its weight, too. */
function Alarming({ of, children }: { readonly of: number; readonly children: string }) {
  return <span className={of > 0 ? styles.bad : undefined}>{children}</span>;
}
