import { CircleCheck, CircleX, Clock, Filter } from "lucide-react";
import { Suspense, useMemo } from "react";
import type { FollowedStep, PreviewedRecord } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { TextView } from "../../components/json-view.tsx";
import { Empty, FieldErrors, Skeleton } from "../../components/states.tsx";
import { CodeEditor } from "../integration/lazy-editors.ts";
import styles from "./mapping.module.css";
import { Pane } from "./pane.tsx";
import type { Tried } from "./use-preview.ts";

/** An editor is for what somebody reads; the beginning of a larger one is. */
const largestEdited = 200_000;

interface ResultPaneProps {
  readonly tried: Tried;
  /** Which record of the sample. */
  readonly index: number;
  readonly step: string;
  /** Why there is nothing to ask. */
  readonly whyNone: string | null;
}

/** What a step makes of a record of the sample; while rules are wrong, what it made last. */
export function ResultPane({ tried, index, step, whyNone }: ResultPaneProps) {
  const { preview, isCurrent, problem } = tried;
  const record = preview?.records[index];
  const isWrong = problem !== null && problem.errors.length > 0;
  return (
    <Pane
      title="Result"
      area="result"
      tools={
        record !== undefined && (
          <output aria-label="Outcome">
            <Outcome record={record} step={step} isStale={!isCurrent && (problem !== null || whyNone !== null)} />
          </output>
        )
      }
    >
      {problem !== null && !isWrong && (
        <p className={styles.problem} role="alert">
          {problem.message}
        </p>
      )}
      {record !== undefined ? (
        <Made record={record} step={step} isCut={preview?.truncated ?? false} />
      ) : whyNone !== null ? (
        <Empty title="No result yet">
          <p>{whyNone}</p>
        </Empty>
      ) : problem !== null ? (
        isWrong && (
          <Empty title="No result yet">
            <p>Something is wrong in the rules.</p>
          </Empty>
        )
      ) : (
        <Skeleton lines={6} />
      )}
    </Pane>
  );
}

const traceOf = ({ steps }: PreviewedRecord, id: string): FollowedStep | undefined =>
  steps.find(({ step }) => step === id);

function Outcome({ record, step, isStale }: { record: PreviewedRecord; step: string; isStale: boolean }) {
  if (isStale) {
    return (
      <Badge tone="idle" icon={<Clock size={14} aria-hidden />} title="What it gave before the last change">
        before the change
      </Badge>
    );
  }
  const trace = traceOf(record, step);
  if (record.failure !== null || (trace?.failures.length ?? 0) > 0) {
    return (
      <Badge tone="bad" icon={<CircleX size={14} aria-hidden />}>
        failed
      </Badge>
    );
  }
  if (trace === undefined) {
    return (
      <Badge tone="idle" icon={<Filter size={14} aria-hidden />}>
        not reached
      </Badge>
    );
  }
  return (
    <Badge tone="ok" icon={<CircleCheck size={14} aria-hidden />}>
      mapped
    </Badge>
  );
}

function Made({ record, step, isCut }: { record: PreviewedRecord; step: string; isCut: boolean }) {
  const trace = traceOf(record, step);
  const text = useMemo(() => {
    const [first, second] = trace?.out.records ?? [];
    if (first === undefined) return "";
    const made = second === undefined ? first.record : trace?.out.records.map((each) => each.record);
    return JSON.stringify(made, null, 2);
  }, [trace]);
  if (record.failure !== null) {
    return (
      <Empty title="It comes to no step">
        <p>{record.failure.message}</p>
      </Empty>
    );
  }
  const before = record.steps.find((each) => each.failures.length > 0 && each.step !== step);
  if (trace === undefined) {
    return (
      <Empty title={`It does not come to ${step}`}>
        <p>{before ? `${before.step}: ${before.failures[0]?.message}` : "A step before sorts it out."}</p>
      </Empty>
    );
  }
  const later = record.steps.slice(record.steps.indexOf(trace) + 1).filter((each) => each.failures.length > 0);
  return (
    <>
      {trace.failures.map(({ child, rule, message }) => (
        <p key={`${child} ${rule}`} className={styles.problem} role="note">
          {rule !== null && <strong>Rule {rule + 1}: </strong>}
          {message}
        </p>
      ))}
      {trace.out.count > 0 && (
        <div className={styles.fill}>
          {text === "" ? (
            <p className="soft">It is too large to be shown here.</p>
          ) : text.length > largestEdited ? (
            <TextView label="What the rules make of it" text={text} />
          ) : (
            <Suspense fallback={<Skeleton lines={6} />}>
              <CodeEditor label="What the rules make of it" value={text} isReadOnly />
            </Suspense>
          )}
        </div>
      )}
      {trace.out.count > trace.out.records.length && (
        <p className="soft">
          {trace.out.count} records{isCut && `, of which ${trace.out.records.length} are shown`}.
        </p>
      )}
      {later.map((each) => (
        <div key={each.step} className={styles.later}>
          <p>
            Later, <strong>{each.step}</strong> refuses it:
          </p>
          <FieldErrors errors={each.failures.map(({ message }) => ({ path: "", message }))} />
        </div>
      ))}
    </>
  );
}
