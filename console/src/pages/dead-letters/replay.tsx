import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import type { DryRun, Integration, Job } from "../../api/types.ts";
import { Confirm } from "../../components/dialog.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import { count } from "../../lib/format.ts";
import styles from "./dead-letters.module.css";
import type { Filter } from "./search.ts";

/** Which: those that a filter chooses, or one. */
export interface Chosen extends Filter {
  dead_letter_id?: string;
}

interface ReplayProps {
  readonly integration: Integration;
  readonly filter: Chosen;
  readonly title: string;
  readonly onClose: () => void;
  readonly onBegun: (job: Job) => void;
}

const places = [
  {
    id: "auto",
    label: "Where each is missing",
    detail: "At the head; what a destination refused, at that destination",
  },
  { id: "head", label: "The head", detail: "Through all steps" },
  { id: "step", label: "Where it failed", detail: "As the steps before left it" },
] as const;
const versions = [
  { id: "current", label: "The current one" },
  { id: "original", label: "The one each failed under" },
] as const;

/** Asks how dead letters are replayed, and says before what would come of it. */
export function Replay({ integration, filter, title, onClose, onBegun }: ReplayProps) {
  const { id, version: current } = integration;
  const [from, setFrom] = useState<(typeof places)[number]["id"]>("auto");
  const [version, setVersion] = useState<(typeof versions)[number]["id"]>("current");
  const [rate, setRate] = useState("");
  const how = { ...(from !== "auto" && { from }), version };
  const tried = useQuery({
    queryKey: ["dry-run", id, current, filter, how],
    queryFn: ({ signal }) => {
      const body = { ...filter, ...how };
      return api.post<DryRun>(`/v1/integrations/${id}/dead-letter/dry-run`, body, { signal, idempotencyKey: null });
    },
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const isOne = filter.dead_letter_id !== undefined;
  const pace = rate.trim() === "" ? null : Number(rate);
  const isPace = pace === null || pace > 0;
  const under = version === "original" ? (isOne ? "its own version" : "their own versions") : `version ${current}`;
  const begin = async () => {
    const options = { ...how, ...(pace !== null && { rate: pace }) };
    const { dead_letter_id: one, ...chosen } = filter;
    const job =
      one === undefined
        ? await api.post<Job>(`/v1/integrations/${id}/dead-letter/replay-all`, { ...chosen, ...options })
        : await api.post<Job>(`/v1/dead-letter/${one}/replay`, options);
    toast.ok(`The replay of ${count(job.progress.total)} is under way`);
    onBegun(job);
  };
  return (
    <Confirm
      title={title}
      action={tried.data && tried.data.total > 0 ? `Replay ${count(tried.data.total)}` : "Replay"}
      isOpen
      staysOpen
      onClose={onClose}
      onConfirm={begin}
      whyNot={
        tried.data?.total === 0 ? "There is nothing to replay" : isPace ? null : "Records a second are a number above 0"
      }
    >
      {tried.data !== undefined ? (
        <Tried run={tried.data} isOne={isOne} under={under} />
      ) : tried.error !== null ? (
        <ErrorState
          title="They could not be tried"
          problem={toProblem(tried.error)}
          onRetry={() => void tried.refetch()}
        />
      ) : (
        <div className={styles.trying}>
          <p role="status">
            Trying {isOne ? "it" : "them"} with {under}; nothing is written.
          </p>
          <Skeleton lines={2} />
        </div>
      )}
      <SelectField label={isOne ? "It enters at" : "They enter at"} options={places} value={from} onChange={setFrom} />
      <SelectField label="Under the version" options={versions} value={version} onChange={setVersion} />
      <TextField
        label="Records a second at most"
        value={rate}
        onChange={setRate}
        placeholder="As many as go"
        error={isPace ? null : "A number above 0"}
        help="The integration's own runs wait until the replay is done, or is paused."
      />
    </Confirm>
  );
}

interface TriedProps {
  readonly run: DryRun;
  readonly isOne: boolean;
  readonly under: string;
}

/** What a dry run found. */
function Tried({ run, isOne, under }: TriedProps) {
  const { total, checked, passed, failed, untried, failures } = run;
  return (
    <section className={styles.tried} aria-label="What would come of it" role="status">
      <RotateCcw size={16} aria-hidden />
      <div>
        {total === 0 ? (
          <p>{isOne ? "It is not open any more." : "None of them is open any more."}</p>
        ) : isOne ? (
          untried === 0 && (
            <p>
              {passed > 0 ? (
                <strong>It would now pass</strong>
              ) : (
                <span className={styles.bad}>It would fail again</span>
              )}{" "}
              {passed > 0 ? "the steps of" : "in"} {under}.
            </p>
          )
        ) : untried < checked ? (
          <p>
            Of {count(total)}, <strong>{count(passed)} would now pass</strong> the steps of {under}
            {failed > 0 && (
              <>
                , <span className={styles.bad}>{count(failed)} would fail again</span>
              </>
            )}
            .
          </p>
        ) : null}
        {untried > 0 && (
          <p>
            {isOne ? "It enters where it was" : `${count(untried)} enter where they were`} refused: only the replay can
            tell.
          </p>
        )}
        {checked < total && <p>There was time to try {count(checked)} of them.</p>}
        {failures.length > 0 && (
          <ul className={styles.failures}>
            {failures.map(({ code, message, step, count: records }) => (
              <li key={`${step} ${code} ${message}`}>
                <strong>{count(records)}</strong> <code>{code}</code>
                {step !== null && ` at ${step}`}: {message}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
