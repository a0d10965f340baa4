import { CircleSlash, Hourglass, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Integration, Live } from "../../api/types.ts";
import { RelativeTime } from "../../components/time.tsx";
import { percent } from "../../lib/format.ts";
import styles from "./integration.module.css";

/** What is amiss, in sentences; nothing where all is well. */
export function Health({ integration, live }: { readonly integration: Integration; readonly live: Live | undefined }) {
  const { health, health_reason: reason, enabled } = integration;
  const circuits = Object.entries(live?.circuits ?? integration.circuits).filter(([, { state }]) => state !== "closed");
  const waiting = live?.waiting ?? null;
  const isHealthTold = enabled && health !== "ok" && reason !== null;
  return (
    <ul className={styles.notices} aria-label="What is amiss" aria-live="polite">
      {isHealthTold && (
        <Notice tone={health === "stopped" ? "bad" : "warn"} icon={<TriangleAlert size={15} aria-hidden />}>
          It is {health}: {reason}
        </Notice>
      )}
      {waiting !== null && !(isHealthTold && reason === waiting) && (
        <Notice tone="warn" icon={<Hourglass size={15} aria-hidden />}>
          The run waits: {waiting}
        </Notice>
      )}
      {circuits.map(([of, { state, since, reason: why, failure_ratio: ratio }]) => (
        <Notice key={of} tone="bad" icon={<CircleSlash size={15} aria-hidden />}>
          The circuit of {of} is {state.replace("_", " ")}
          {since !== null && (
            <>
              {" since "}
              <RelativeTime at={since} />
            </>
          )}
          {ratio !== null && ratio > 0 && `, after ${percent(ratio)} of its calls failed`}
          {why !== null && `: ${why}`}
        </Notice>
      ))}
    </ul>
  );
}

function Notice({
  tone,
  icon,
  children,
}: {
  readonly tone: "bad" | "warn";
  readonly icon: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <li className={styles.notice} data-tone={tone}>
      {icon}
      <span>{children}</span>
    </li>
  );
}
