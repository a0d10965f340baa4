import styles from "./sparkline.module.css";

/** The last minute at a glance; the figures stand beside it. `failed` is drawn over it. */
export function Sparkline({
  values,
  failed,
  label,
}: {
  values: readonly number[];
  failed?: readonly number[];
  label: string;
}) {
  const top = Math.max(1, ...values);
  return (
    <svg className={styles.spark} viewBox="0 0 60 20" preserveAspectRatio="none" role="img" aria-label={label}>
      {values.length > 0 && (
        <path className={styles.area} d={`${line(values, top)} L60 20 L${61 - values.length} 20 Z`} />
      )}
      <path className={styles.line} d={line(values, top)} />
      {failed?.some((value) => value > 0) && <path className={styles.failed} d={line(failed, top)} />}
    </svg>
  );
}

/** The last value at the right edge. */
const line = (values: readonly number[], top: number): string =>
  values
    .map(
      (value, at) =>
        `${at === 0 ? "M" : "L"}${61 - values.length + at} ${(19 - (18 * Math.min(value, top)) / top).toFixed(1)}`,
    )
    .join(" ");
