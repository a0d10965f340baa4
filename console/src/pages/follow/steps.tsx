import type { FollowedRecord, FollowedStep, Json, ShownRecords } from "../../api/types.ts";
import { JsonView } from "../../components/json-view.tsx";
import { count } from "../../lib/format.ts";
import styles from "./follow.module.css";

/** What each step took and gave, side by side where it changed. */
export function Steps({
  item,
}: {
  readonly item: Pick<FollowedRecord, "steps" | "steps_reason" | "record" | "repeatable">;
}) {
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
  const took = <Shown shown={step.in} label={`What ${step.step} took`} />;
  if (step.out.count === 0) return took;
  const gave = <Shown shown={step.out} label={`What ${step.step} gave`} />;
  if (isUnchanged(step)) return gave;
  return (
    <div className={styles.change}>
      {took}
      {gave}
    </div>
  );
}

/** One record as itself, more as a list. */
function Shown({ shown, label }: { readonly shown: ShownRecords; readonly label: string }) {
  const [first] = shown.records;
  if (first === undefined) return <p className="soft">{label}: too large to be shown here.</p>;
  const values: Json = shown.count === 1 ? first.record : shown.records.map(({ record }) => record);
  return (
    <div>
      <JsonView value={values} label={label} />
      {!isWhole(shown) && (
        <p className="soft">
          {count(shown.records.length)} of {count(shown.count)}: the others are not shown here.
        </p>
      )}
    </div>
  );
}

const isWhole = ({ count, records }: ShownRecords): boolean => records.length === count;

/** Of what is shown whole. */
const isUnchanged = ({ in: taken, out }: FollowedStep): boolean =>
  isWhole(taken) &&
  isWhole(out) &&
  textOf(taken.records.map(({ record }) => record)) === textOf(out.records.map(({ record }) => record));

const textOf = (value: Json): string => JSON.stringify(value);

function sentence(step: FollowedStep): string {
  const { in: taken, out, failures } = step;
  if (out.count === 0) return failures.length > 0 ? "refused it" : "gave nothing on";
  if (taken.count !== out.count) return `made ${count(out.count)} of ${count(taken.count)}`;
  if (!isWhole(taken) || !isWhole(out)) return "gave it on";
  return isUnchanged(step) ? "left it as it was" : "changed it";
}
