import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Ban, ExternalLink } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import { integrationQuery, runQuery } from "../../api/queries.ts";
import type { RunDetail, Run as RunResource } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { Confirm } from "../../components/dialog.tsx";
import { Figure, Figures, Page, Panel } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { Elapsed, RelativeTime } from "../../components/time.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay, useMe } from "../../layout/me.ts";
import { count, moment, percent } from "../../lib/format.ts";
import { Ledger } from "../integration/ledger.tsx";
import { Counters } from "./counters.tsx";
import { Destinations } from "./destinations.tsx";
import { Drift } from "./drift.tsx";
import { Errors } from "./errors.tsx";
import styles from "./run.module.css";

const route = getRouteApi("/signed-in/runs/$id");

/** One run: what it counted over time, what failed in it, and what it was asked for with. */
export function Run() {
  const { id } = route.useParams();
  const { data, error, refetch } = useQuery(runQuery(id));
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />;
  }
  return <Loaded key={id} run={data} />;
}

function Loaded({ run }: { readonly run: RunDetail }) {
  const { tab = "counters" } = route.useSearch();
  const navigate = route.useNavigate();
  const mayReadLetters = useMay("dead-letters:read");
  const { data: integration } = useQuery(integrationQuery(run.integration_id));
  const tabs = [
    { id: "counters", title: "Counters" },
    ...(mayReadLetters
      ? [{ id: "errors", title: run.records_failed > 0 ? `Errors (${count(run.records_failed)})` : "Errors" } as const]
      : []),
    { id: "ledger", title: run.ledger?.balanced === false ? "Ledger (does not balance)" : "Ledger" },
    ...(run.drift.length > 0 ? [{ id: "drift", title: `Drift (${run.drift.length})` } as const] : []),
  ] as const;
  const name = integration?.name ?? "Integration";
  return (
    <Page
      title={`Run of ${name}`}
      badge={<Status of={run.status} title={run.error?.message ?? null} />}
      crumbs={[
        <Link key="overview" to="/">
          Integrations
        </Link>,
        <Link key="integration" to="/integrations/$id" params={{ id: run.integration_id }}>
          {name}
        </Link>,
        <Link key="runs" to="/integrations/$id" params={{ id: run.integration_id }} search={{ tab: "runs" }}>
          Runs
        </Link>,
      ]}
      actions={run.status === "running" && <Cancel run={run} />}
      lead={<Facts run={run} />}
    >
      {run.error !== null && (
        <p className={styles.error} role="alert">
          <code>{run.error.code}</code> {run.error.path !== undefined && <code>{run.error.path}</code>}{" "}
          {run.error.message}
        </p>
      )}
      {run.status === "running" && run.waiting !== null && (
        <p className={styles.waiting} role="status">
          It waits: {run.waiting}
        </p>
      )}
      <Panel title="Records">
        <Figures>
          <Figure name="In">{count(run.records_in)}</Figure>
          <Figure name="Out">{count(run.records_out)}</Figure>
          <Figure name="Filtered">{count(run.records_filtered)}</Figure>
          <Figure name="Failed">
            <span className={run.records_failed > 0 ? styles.bad : undefined}>{count(run.records_failed)}</span>
          </Figure>
          <Figure name="Failed of what was read">
            {percent(run.records_in === 0 ? 0 : run.records_failed / run.records_in)}
          </Figure>
          <Figure name={run.finished_at === null ? "Runs for" : "Took"}>
            <Elapsed from={run.started_at} to={run.finished_at} />
          </Figure>
        </Figures>
        <Destinations run={run} />
      </Panel>
      <Tabs
        label="Parts of this run"
        tabs={tabs}
        selected={tabs.some(({ id }) => id === tab) ? tab : "counters"}
        onSelect={(chosen) =>
          void navigate({
            search: (former) => ({ ...former, tab: chosen === "counters" ? undefined : chosen }),
            replace: true,
          })
        }
      >
        {tab === "errors" && mayReadLetters ? (
          <Errors run={run} />
        ) : tab === "ledger" ? (
          <Ledger ledger={run.ledger} />
        ) : tab === "drift" && run.drift.length > 0 ? (
          <Drift drift={run.drift} />
        ) : (
          <Counters run={run} />
        )}
      </Tabs>
    </Page>
  );
}

function Facts({ run }: { readonly run: RunDetail }) {
  const { trace_url: template } = useMe();
  const { request, trigger, job_id: job, integration_id: id, integration_version: version } = run;
  const traceId = request?.trace_id;
  return (
    <span className={styles.facts}>
      <span>
        id <CopyId id={run.id} />
      </span>
      <span>{job === undefined ? `trigger ${trigger}` : "replay of dead letters"}</span>
      <span>
        {"version "}
        <Link to="/integrations/$id" params={{ id }} search={{ tab: "versions", to: String(version) }}>
          {version}
        </Link>
      </span>
      <span title={moment(run.started_at)}>
        started <RelativeTime at={run.started_at} />
      </span>
      {run.finished_at !== null && (
        <span title={moment(run.finished_at)}>
          ended <RelativeTime at={run.finished_at} />
        </span>
      )}
      {request?.actor !== undefined && <span>asked for by {request.actor}</span>}
      {request?.id !== undefined && (
        <span>
          request <CopyId id={request.id} />
        </span>
      )}
      {traceId !== undefined &&
        (template == null ? (
          <span>
            trace <CopyId id={traceId} />
          </span>
        ) : (
          <a href={traceUrl(template, traceId)} target="_blank" rel="noreferrer">
            Trace <ExternalLink size={12} aria-label="(in a new tab)" />
          </a>
        ))}
    </span>
  );
}

/** Only of the web, whatever is configured. */
export function traceUrl(template: string, traceId: string): string | undefined {
  const url = template.replaceAll("{trace_id}", encodeURIComponent(traceId));
  return /^https?:\/\//i.test(url) ? url : undefined;
}

function Cancel({ run }: { readonly run: RunResource }) {
  const client = useQueryClient();
  const [isAsking, ask] = useState(false);
  if (!useMay("runs:write")) return null;
  const cancel = async () => {
    await api.post(`/v1/runs/${run.id}/cancel`);
    void client.invalidateQueries({ queryKey: ["run", run.id] });
    toast.ok("The run ends once what it has in hand is settled");
  };
  return (
    <>
      <Button icon={<Ban size={16} aria-hidden />} onPress={() => ask(true)}>
        Cancel
      </Button>
      <Confirm
        title="Cancel this run?"
        action="Cancel the run"
        isDanger
        isOpen={isAsking}
        onClose={() => ask(false)}
        onConfirm={cancel}
      >
        <p>Its sources are closed and what it has in hand is settled. The rest is left to the next run.</p>
      </Confirm>
    </>
  );
}
