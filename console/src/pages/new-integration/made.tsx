import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import { integrationQuery, runQuery } from "../../api/queries.ts";
import type { FollowedStep, Integration, JsonObject, Run, ShownRecords } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { buttonClass } from "../../components/button-class.ts";
import { CopyButton } from "../../components/copy-id.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Figure, Figures, Panel } from "../../components/page.tsx";
import { ErrorState, FieldErrors, Skeleton } from "../../components/states.tsx";
import { Elapsed } from "../../components/time.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import { count } from "../../lib/format.ts";
import type { Draft } from "./draft.ts";
import styles from "./new-integration.module.css";
import { recordsIn } from "./schema-paths.ts";

interface MadeProps {
  readonly id: string;
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
}

/** It is there: what becomes of a record, then the first run. */
export function Made({ id, draft, change }: MadeProps) {
  const { data, error, refetch } = useQuery(integrationQuery(id));
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={6} />;
  }
  return (
    <>
      <Panel title={`${data.name} is made`}>
        <p>
          <Status of={data.enabled ? data.health : "disabled"} />{" "}
          {data.enabled && data.health_reason !== null && <span className="soft">{data.health_reason}</span>}
        </p>
        <Begin integration={data} runId={draft.runId} onRun={(runId) => change({ runId })} />
      </Panel>
      {draft.runId !== null && <Progress id={draft.runId} integration={data} />}
      {draft.trigger.type === "webhook" && <Hook integration={data} scheme={draft.trigger.scheme} />}
      {!data.enabled && <Preview id={id} sample={draft.trigger.type === "webhook" ? draft.sample : null} />}
    </>
  );
}

interface BeginProps {
  readonly integration: Integration;
  readonly runId: string | null;
  readonly onRun: (id: string) => void;
}

/** Enables it, and runs it where it does not begin by itself. */
function Begin({ integration, runId, onRun }: BeginProps) {
  const { id, name, enabled, trigger } = integration;
  const client = useQueryClient();
  const [mayOperate, mayRun] = [useMay("integrations:operate"), useMay("runs:write")];
  const [refused, setRefused] = useState<Problem | null>(null);
  const isEndless = trigger?.type === "webhook" || trigger?.type === "event";
  const begin = async () => {
    setRefused(null);
    try {
      if (!enabled) {
        const changed = await api.put<Integration>(`/v1/integrations/${id}/enable`);
        client.setQueryData(integrationQuery(id).queryKey, changed);
      }
      if (isEndless) toast.ok(`${name} is enabled and runs`);
      else if (mayRun) onRun((await api.post<Run>(`/v1/integrations/${id}/run`)).id);
      else toast.ok(`${name} is enabled`);
    } catch (error) {
      setRefused(toProblem(error));
    }
  };
  const isBegun = runId !== null || (enabled && (isEndless || !mayRun));
  return (
    <>
      {refused !== null && (
        <div className={styles.problem} role="alert">
          <p>
            {refused.message} <code>{refused.code}</code>
          </p>
          <FieldErrors errors={refused.errors} />
        </div>
      )}
      <div className={styles.buttons}>
        {mayOperate && !isBegun && (
          <Button kind="primary" icon={<Play size={16} aria-hidden />} onPress={begin}>
            {isEndless ? "Enable" : enabled ? "Run now" : mayRun ? "Enable and run" : "Enable"}
          </Button>
        )}
        <Link to="/integrations/$id" params={{ id }} className={buttonClass(isBegun ? "primary" : "plain")}>
          To the integration
        </Link>
      </div>
    </>
  );
}

function Progress({ id, integration }: { readonly id: string; readonly integration: Integration }) {
  const { data: run, error, refetch } = useQuery(runQuery(id));
  if (run === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={3} />;
  }
  return (
    <Panel
      title="First run"
      actions={
        <Link to="/runs/$id" params={{ id }}>
          To the run
        </Link>
      }
    >
      <div aria-live="polite">
        <p>
          <Status of={run.status} title={run.error?.message ?? null} />
        </p>
        {run.status === "success" && (
          <p>
            {count(run.records_out)} {run.records_out === 1 ? "record has" : "records have"} arrived. {integration.name}{" "}
            works.
          </p>
        )}
        {run.status === "partial" && (
          <p>
            {count(run.records_failed)} of {count(run.records_in)} records failed; each is kept as a dead letter, with
            what is wrong with it.
          </p>
        )}
        {run.waiting !== null && <p className={styles.warn}>It waits: {run.waiting}</p>}
        {run.error !== null && (
          <p className={styles.problem}>
            {run.error.message} <code>{run.error.code}</code>
          </p>
        )}
        {run.status === "failed" && (
          <p>
            <Link to="/integrations/$id" params={{ id: integration.id }} search={{ tab: "configuration" }}>
              Mend it in the configuration
            </Link>
            , and run it again there.
          </p>
        )}
      </div>
      <Figures>
        <Figure name="In">{count(run.records_in)}</Figure>
        <Figure name="Out">{count(run.records_out)}</Figure>
        <Figure name="Failed">{count(run.records_failed)}</Figure>
        <Figure name={run.finished_at === null ? "Runs for" : "Took"}>
          <Elapsed from={run.started_at} to={run.finished_at} />
        </Figure>
      </Figures>
    </Panel>
  );
}

function Hook({ integration: { name }, scheme }: { readonly integration: Integration; readonly scheme: string }) {
  const proof =
    scheme === "bearer" ? " -H 'Authorization: Bearer SECRET'" : scheme === "basic" ? " -u USER:PASSWORD" : "";
  const command = `curl ${location.origin}/v1/hooks/${name}${proof} -H 'Content-Type: application/json' -d '{"id":1}'`;
  return (
    <Panel title="Send it a record">
      <p>
        <code>{command}</code> <CopyButton text={command} label="Copy the command" />
      </p>
      {!["bearer", "basic", "none"].includes(scheme) && (
        <p className="soft">The sender signs it, as {scheme} has it.</p>
      )}
    </Panel>
  );
}

interface Previewed {
  readonly records: readonly {
    readonly record: JsonObject | null;
    readonly status: "delivered" | "aggregated" | "filtered" | "failed";
    readonly failure: { readonly code: string; readonly message: string } | null;
    readonly steps: readonly FollowedStep[];
    readonly destinations: readonly { readonly destination: string; readonly in: ShownRecords }[];
  }[];
  readonly totals: {
    readonly in: number;
    readonly delivered: number;
    readonly filtered: number;
    readonly failed: number;
  };
}

/** What becomes of the first records; nothing is written. */
function Preview({ id, sample }: { readonly id: string; readonly sample: string | null }) {
  const body = sample === null ? {} : { records: recordsIn(sample) };
  const { data, error, refetch } = useQuery({
    queryKey: ["new-preview", id, sample],
    queryFn: () => api.post<Previewed>(`/v1/integrations/${id}/preview`, body, { idempotencyKey: null }),
    enabled: sample === null || recordsIn(sample).length > 0,
    retry: false,
  });
  if (sample !== null && recordsIn(sample).length === 0) return null;
  const first = data?.records[0];
  const failures = first?.steps.flatMap((step) => step.failures) ?? [];
  return (
    <Panel title="What becomes of a record">
      <div aria-live="polite">
        {error ? (
          <p className={styles.warn}>It could not be tried: {toProblem(error).message}</p>
        ) : data === undefined ? (
          <Skeleton lines={5} />
        ) : first === undefined ? (
          <p className="soft">There are no records in its source yet.</p>
        ) : (
          <p>
            {count(data.totals.delivered)} of the first {count(data.totals.in)} records would be delivered
            {data.totals.failed > 0 && `, ${count(data.totals.failed)} would fail`}. Nothing is written yet.
          </p>
        )}
        {error && <Button onPress={refetch}>Try again</Button>}
      </div>
      {first && (
        <div className={styles.two}>
          <section>
            <h3>As it is read</h3>
            <JsonView value={first.record} label="Record as it is read" />
          </section>
          <section>
            <h3>As it is written</h3>
            {first.status === "failed" ? (
              <div className={styles.problem}>
                {first.failure && <p>{first.failure.message}</p>}
                {failures.map(({ rule, message }) => (
                  <p key={`${rule} ${message}`}>{message}</p>
                ))}
              </div>
            ) : (
              <JsonView value={first.destinations[0]?.in.records[0]?.record} label="Record as it is written" />
            )}
          </section>
        </div>
      )}
    </Panel>
  );
}
