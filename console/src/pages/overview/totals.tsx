import { Link } from "@tanstack/react-router";
import type { OverviewTotals } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { useMay } from "../../layout/me.ts";
import { count } from "../../lib/format.ts";
import styles from "./overview.module.css";

const states = ["stopped", "degraded", "waiting", "ok"] as const;

/** All integrations by health, whatever the filter: each figure filters by what it counts. */
export function Totals({ totals }: { totals: OverviewTotals }) {
  const { by_health: byHealth, enabled, integrations, circuits_open: circuits, with_dead_letters: dead } = totals;
  return (
    <ul className={styles.totals} aria-label="Integrations by health">
      {states.map((health) => (
        <li key={health}>
          <Link
            from="/"
            to="."
            search={(former) => ({ ...former, health, enabled: "true" as const })}
            className={styles.total}
            data-none={byHealth[health] === 0}
          >
            <strong>{count(byHealth[health])}</strong>
            <Status of={health} />
          </Link>
        </li>
      ))}
      <li>
        <Link
          from="/"
          to="."
          search={(former) => ({ ...former, health: undefined, enabled: "false" as const })}
          className={styles.total}
          data-none={integrations === enabled}
        >
          <strong>{count(integrations - enabled)}</strong>
          <Status of="disabled" />
        </Link>
      </li>
      <li className={styles.total} data-bad={circuits > 0} data-none={circuits === 0}>
        <strong>{count(circuits)}</strong> with an open circuit
      </li>
      <li>
        <WithDeadLetters dead={dead} />
      </li>
    </ul>
  );
}

function WithDeadLetters({ dead }: { readonly dead: number }) {
  const content = (
    <>
      <strong>{count(dead)}</strong> with dead letters
    </>
  );
  const looks = { className: styles.total, "data-bad": dead > 0, "data-none": dead === 0 };
  if (!useMay("dead-letters:read")) return <span {...looks}>{content}</span>;
  return (
    <Link to="/dead-letters" {...looks}>
      {content}
    </Link>
  );
}
