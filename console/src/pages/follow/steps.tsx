import { lazy, Suspense } from "react";
import type { FollowedRecord, FollowedStep, Json, ShownRecords } from "../../api/types.ts";
import { JsonView } from "../../components/json-view.tsx";
import { Skeleton } from "../../components/states.tsx";
import { count } from "../../lib/format.ts";
import styles from "./follow.module.css";

const Diff = lazy(() => import("../../components/diff.tsx").then(({ Diff: it }) => ({ default: it })));

/** What each step took and gave: of one record that stays one, what changed. */
export function Steps({ item }: { readonly item: FollowedRecord }) {
  const { steps, steps_reason: reason, record, repeatable } = item;
  if (steps === null) {
    return (
      <>
        <p className="soft">{reason}</p>
        {record !== null && <JsonView value={record} label="The record" />}
      </>
    );
  }
  return (
    <>
      {!repeatable && (
        <p className="soft">
          Taken through the steps again just now: a look-up or a script may have answered otherwise then.
        </p>
      )}
      {steps.length === 0 && <JsonView value={record} label="The record" />}
      {steps.map((step) => (
        <details key={step.step} className={styles.step} open={step.failures.length > 0 || steps.length < 4}>
          <summary>
            <strong>{step.step}</strong> <span className="soft">{step.type}</span> <span>{sentence(step)}</span>
          </summary>
          {step.failures.map(({ child, rule, code, message }) => (
            <p key={`${child} ${rule} ${message}`} className={styles.failure} role="note">
              <code>{code}</code> {rule !== null && <>rule {rule}: </>}
              {message}
            </p>
          ))}
          <Change step={step} />
        </details>
      ))}
    </>
  );
}

function Change({ step }: { readonly step: FollowedStep }) {
  const [before, after] = [only(step.in), only(step.out)];
  if (before === undefined) return <Shown shown={step.out} label={`What ${step.step} gave`} />;
  if (after === undefined) {
    return step.out.count === 0 ? (
      <JsonView value={before} label={`What ${step.step} took`} />
    ) : (
      <Shown shown={step.out} label={`What ${step.step} gave`} />
    );
  }
  const texts = [textOf(before), textOf(after)] as const;
  if (texts[0] === texts[1]) return <JsonView value={after} label={`What ${step.step} gave`} />;
  return (
    <Suspense fallback={<Skeleton lines={4} />}>
      <Diff label={`What ${step.step} changed`} before={texts[0]} after={texts[1]} />
    </Suspense>
  );
}

function Shown({ shown, label }: { readonly shown: ShownRecords; readonly label: string }) {
  const values: Json = shown.records.map(({ record }) => record);
  return <JsonView value={values} label={label} />;
}

const textOf = (value: Json): string => JSON.stringify(value, null, 2);

const only = ({ count: all, records }: ShownRecords) => (all === 1 ? records[0]?.record : undefined);

function sentence({ in: taken, out, failures }: FollowedStep): string {
  if (failures.length > 0 && out.count === 0) return "refused it";
  if (out.count === 0) return "gave nothing on";
  if (taken.count === out.count) {
    return taken.count === 1 && textOf(only(taken) ?? null) === textOf(only(out) ?? null)
      ? "left it as it was"
      : "changed it";
  }
  return `made ${count(out.count)} of ${count(taken.count)}`;
}
