import { getRouteApi, Link } from "@tanstack/react-router";
import { History } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { Run, RunStatus } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { Elapsed, RelativeTime } from "../../components/time.tsx";
import { shortCount } from "../../lib/format.ts";
import styles from "./integration.module.css";
import { localOf, timeOf } from "./local-time.ts";
import { runStatuses, runTriggers } from "./search.ts";

const route = getRouteApi("/signed-in/integrations/$id");

const columns: readonly Column<Run>[] = [
  {
    id: "started",
    title: "Started",
    width: "minmax(110px, 1fr)",
    sort: { up: "started_at", down: "-started_at" },
    cell: ({ id, started_at: at }) => (
      <Link to="/runs/$id" params={{ id }}>
        <RelativeTime at={at} />
      </Link>
    ),
  },
  {
    id: "status",
    title: "Status",
    width: "108px",
    cell: ({ status, error }) => <Status of={status} title={error?.message ?? null} />,
  },
  {
    id: "took",
    title: "Took",
    width: "96px",
    align: "end",
    cell: ({ started_at: from, finished_at: to }) => <Elapsed from={from} to={to} />,
  },
  {
    id: "trigger",
    title: "Trigger",
    width: "96px",
    cell: ({ trigger, job_id: job }) => (job === undefined ? trigger : "replay"),
  },
  { id: "version", title: "Version", width: "72px", align: "end", cell: ({ integration_version: version }) => version },
  { id: "in", title: "In", width: "88px", align: "end", cell: (run) => shortCount(run.records_in) },
  { id: "out", title: "Out", width: "88px", align: "end", cell: (run) => shortCount(run.records_out) },
  {
    id: "filtered",
    title: "Filtered",
    width: "88px",
    align: "end",
    wideOnly: true,
    cell: (run) => shortCount(run.records_filtered),
  },
  {
    id: "failed",
    title: "Failed",
    width: "88px",
    align: "end",
    cell: (run) => (
      <span className={run.records_failed > 0 ? styles.bad : "soft"}>{shortCount(run.records_failed)}</span>
    ),
  },
  {
    id: "why",
    title: "Error",
    width: "minmax(0, 2fr)",
    wideOnly: true,
    cell: ({ error, waiting }) => (
      <span className="soft" title={error?.message}>
        {error?.message ?? waiting}
      </span>
    ),
  },
];

const all = { id: "all", label: "All" } as const;
const statuses = [all, ...runStatuses.map((id) => ({ id, label: id }))];
const triggers = [all, ...runTriggers.map((id) => ({ id, label: id }))];

/** All runs, however many: only those in sight are in the page. */
export function Runs({ id }: { readonly id: string }) {
  const { status, trigger, since, until, sort } = route.useSearch();
  const navigate = route.useNavigate();
  const change = (part: Partial<ReturnType<typeof route.useSearch>>) =>
    void navigate({ search: (former) => ({ ...former, ...part }), replace: true });
  const list = useList<Run>(["runs", id], `/v1/integrations/${id}/runs`, { status, trigger, since, until, sort });
  const isFiltered = status !== undefined || trigger !== undefined || since !== undefined || until !== undefined;
  const clear = () => change({ status: undefined, trigger: undefined, since: undefined, until: undefined });
  return (
    <>
      <Toolbar label="Filter runs">
        <SelectField
          label="Status"
          options={statuses}
          value={status ?? "all"}
          onChange={(chosen) => change({ status: chosen === "all" ? undefined : (chosen as RunStatus) })}
        />
        <SelectField
          label="Trigger"
          options={triggers}
          value={trigger ?? "all"}
          onChange={(chosen) => change({ trigger: chosen === "all" ? undefined : (chosen as Run["trigger"]) })}
        />
        <TextField
          label="Started after"
          type="datetime-local"
          value={localOf(since)}
          onChange={(text) => change({ since: timeOf(text) })}
        />
        <TextField
          label="Started before"
          type="datetime-local"
          value={localOf(until)}
          onChange={(text) => change({ until: timeOf(text) })}
        />
        {isFiltered && (
          <Button kind="quiet" onPress={clear}>
            Show all
          </Button>
        )}
      </Toolbar>
      {list.error ? (
        <ErrorState problem={list.error} onRetry={list.retry} />
      ) : (
        <Table
          label="Runs"
          columns={columns}
          rows={list.rows}
          rowKey={(run) => run.id}
          onOpen={(run) => void navigate({ to: "/runs/$id", params: { id: run.id } })}
          sort={sort ?? "-started_at"}
          onSort={(by) => change({ sort: by === "-started_at" ? undefined : by })}
          onEnd={list.loadMore}
          hasMore={list.hasMore}
          isLoadingMore={list.isLoadingMore}
          empty={
            isFiltered ? (
              <Empty title="No run is like this">
                <Button onPress={clear}>Show all runs</Button>
              </Empty>
            ) : (
              <Empty title="It has not run yet" icon={<History size={28} aria-hidden />}>
                <p>A run begins when its trigger fires, or with Run now.</p>
              </Empty>
            )
          }
        />
      )}
    </>
  );
}
