import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleCheck } from "lucide-react";
import { useRef } from "react";
import { api, randomKey } from "../../api/client.ts";
import { type FieldError, Problem, toProblem } from "../../api/problem.ts";
import type { Integration, IntegrationBody } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Panel } from "../../components/page.tsx";
import { FieldErrors, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import { bodyOf, nameOf } from "./body.ts";
import type { Draft } from "./draft.ts";
import { modeWords } from "./ends.ts";
import { Made } from "./made.tsx";
import styles from "./new-integration.module.css";
import { Next } from "./schedule-step.tsx";
import type { StepProps } from "./step-props.ts";

/** What will be made, checked by the server; then it is made, tried, and run for the first time. */
export function ReviewStep({ draft, change }: StepProps) {
  if (draft.madeId !== null) return <Made id={draft.madeId} draft={draft} change={change} />;
  return <Review draft={draft} change={change} />;
}

function Review({ draft, change }: Pick<StepProps, "draft" | "change">) {
  const client = useQueryClient();
  const body = bodyOf(draft);
  const check = useCheck(body);
  const key = useRef({ body: "", key: "" });
  const make = async () => {
    // The same again, such as after an answer that never came, makes no second one.
    const text = JSON.stringify(body);
    if (key.current.body !== text) key.current = { body: text, key: randomKey() };
    const made = await api.post<Integration>("/v1/integrations", body, { idempotencyKey: key.current.key });
    client.setQueryData(["integration", made.id], made);
    void client.invalidateQueries({ queryKey: ["overview"] });
    change({ madeId: made.id, name: made.name });
  };
  const errors = check.data?.errors ?? [];
  const nameError = errors.find(({ path }) => path === "name")?.message;
  return (
    <>
      <div className={styles.two}>
        <Panel title="What will be made">
          <TextField
            label="Name"
            isRequired
            value={draft.name || nameOf(draft)}
            onChange={(name) => change({ name })}
            help="Small letters, digits and hyphens."
            error={nameError}
            autoComplete="off"
          />
          <Facts draft={draft} />
        </Panel>
        <Panel title="Configuration">
          <JsonView value={shown(body)} label="Configuration" />
        </Panel>
      </div>
      {draft.trigger.type === "schedule" && <Next cron={draft.trigger.cron} timezone={draft.trigger.timezone} />}
      <Panel title="Check">
        <div aria-live="polite">
          {check.isLoading && <Skeleton lines={2} />}
          {check.error && <p className={styles.warn}>It could not be checked: {toProblem(check.error).message}</p>}
          {check.data && errors.length === 0 && (
            <p>
              <Badge tone="ok" icon={<CircleCheck size={14} aria-hidden />}>
                The configuration is in order
              </Badge>
            </p>
          )}
          {errors.length > 0 && (
            <div className={styles.problem} role="alert">
              <p>This breaks:</p>
              <FieldErrors errors={errors} />
            </div>
          )}
          {check.data?.notes.map(({ message }) => (
            <p key={message} className="soft">
              {message}
            </p>
          ))}
        </div>
      </Panel>
      <p>It is made without being enabled: nothing is read or written before you have seen what becomes of a record.</p>
      <div className={styles.buttons}>
        <Button kind="primary" onPress={make} whyNot={errors.length > 0 ? "Mend what breaks first" : null}>
          Make it
        </Button>
      </div>
    </>
  );
}

/** Secrets are in no picture of it. */
function shown(body: IntegrationBody) {
  return JSON.parse(JSON.stringify(body, (name, value) => (name === "secrets" ? ["***"] : value)));
}

interface Checked {
  readonly errors: readonly FieldError[];
  readonly notes: readonly FieldError[];
}

/** What the server says of it before it is there. Whether both sides take it is asked when it is enabled. */
function useCheck(body: IntegrationBody) {
  const mayCheck = [useMay("connectors:write"), useMay("integrations:write")].every(Boolean);
  return useQuery({
    queryKey: ["new-integration", JSON.stringify(body)],
    enabled: mayCheck,
    staleTime: 0,
    gcTime: 0,
    retry: false,
    queryFn: async ({ signal }): Promise<Checked> => {
      const config = { integrations: [{ ...body, enabled: true }] };
      try {
        const { changes } = await api.post<{ changes: { action: string; notes: FieldError[] }[] }>(
          "/v1/apply",
          config,
          {
            query: { dry_run: true, allow_destructive: true },
            signal,
            idempotencyKey: null,
          },
        );
        if (changes.some(({ action }) => action !== "create")) {
          return { errors: [{ path: "name", message: "there is one of this name already" }], notes: [] };
        }
        return { errors: [], notes: changes.flatMap(({ notes }) => notes) };
      } catch (error) {
        const problem = toProblem(error);
        if (!(error instanceof Problem) || problem.errors.length === 0) throw error;
        const errors = problem.errors.map(({ path, message }) => ({
          path: path.replace(/^integrations\[0\]\.?/, ""),
          message,
        }));
        return { errors, notes: [] };
      }
    },
  });
}

function Facts({ draft: { source, destination, trigger, mapping } }: { readonly draft: Draft }) {
  const filled = mapping?.matches.filter((match) => match.source !== null).length ?? 0;
  return (
    <dl className={styles.facts}>
      <dt>Reads</dt>
      <dd>
        {trigger.type === "webhook" ? "what is sent to it" : `${source.stream} of ${source.connector?.name}`}
        {source.mode === "incremental" && `, only what is new${source.fields && ` by ${source.fields}`}`}
      </dd>
      <dt>Maps</dt>
      <dd>
        {mapping?.rule === "match"
          ? `${filled} of ${mapping.matches.length} fields`
          : "nothing: records go as they are"}
        {mapping?.rule === "match" && mapping.left.length > 0 && `; leaves out ${mapping.left.join(", ")}`}
      </dd>
      <dt>Writes</dt>
      <dd>
        {destination.stream} of {destination.connector?.name}:{" "}
        {(modeWords[destination.mode] ?? destination.mode).toLowerCase()}
        {destination.mode === "upsert" && ` (${destination.fields})`}
      </dd>
      <dt>Runs</dt>
      <dd>{runsWords[trigger.type]}</dd>
    </dl>
  );
}

const runsWords = {
  manual: "when it is asked to",
  schedule: "by a schedule",
  event: "all the time",
  webhook: "all the time",
};
