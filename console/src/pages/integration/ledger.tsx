import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Scale, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { toProblem } from "../../api/problem.ts";
import { runQuery, useList } from "../../api/queries.ts";
import type { Ledger as LedgerResource, Run } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import { imbalanceText, ledgerLines } from "./ledger-lines.ts";
import styles from "./small-table.module.css";

/** Of the latest run. */
export function LedgerTab({ id }: { readonly id: string }) {
  const list = useList<Run>(["runs", id], `/v1/integrations/${id}/runs`);
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  if (list.rows === undefined) return <Skeleton lines={6} />;
  const [latest] = list.rows;
  if (latest === undefined) {
    return (
      <Empty title="There is no ledger yet" icon={<Scale size={28} aria-hidden />}>
        <p>Each run counts what every step and destination took and gave, and holds the counts against each other.</p>
      </Empty>
    );
  }
  return <OfRun run={latest} />;
}

function OfRun({ run }: { readonly run: Run }) {
  const { data, error, refetch } = useQuery(runQuery(run.id));
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={6} />;
  }
  return (
    <>
      <p className="soft">
        Of the run that was started{" "}
        <Link to="/runs/$id" params={{ id: run.id }}>
          <RelativeTime at={run.started_at} />
        </Link>
        .
      </p>
      <Ledger ledger={data.ledger} />
    </>
  );
}

const stepColumns = ["in", "expanded", "out", "filtered", "absorbed", "dropped", "failed"] as const;
const destinationColumns = ["published", "inherited", "confirmed", "failed", "pending", "deferred"] as const;

/** What every step and destination took and gave, and whether it adds up. */
export function Ledger({ ledger }: { readonly ledger: LedgerResource | null }) {
  if (ledger === null) return <Empty title="Nothing is counted yet" icon={<Scale size={28} aria-hidden />} />;
  const { steps, destinations, others } = ledgerLines(ledger);
  return (
    <>
      <p>
        {ledger.balanced ? (
          <Badge tone="ok" icon={<CircleCheck size={14} aria-hidden />}>
            balanced
          </Badge>
        ) : (
          <Badge tone="bad" icon={<TriangleAlert size={14} aria-hidden />}>
            does not balance
          </Badge>
        )}
      </p>
      {others.map((imbalance) => (
        <p key={imbalanceText(imbalance)} role="alert">
          {imbalanceText(imbalance)}
        </p>
      ))}
      <Panel title="Steps">
        <Counts columns={stepColumns} lines={steps} what="Step" />
      </Panel>
      <Panel title="Destinations">
        <Counts columns={destinationColumns} lines={destinations} what="Destination" />
      </Panel>
    </>
  );
}

interface CountsProps<Name extends string> {
  readonly what: string;
  readonly columns: readonly Name[];
  readonly lines: readonly {
    readonly id: string;
    readonly counts: Readonly<Record<Name, number>>;
    readonly imbalances: LedgerResource["imbalances"];
  }[];
}

function Counts<Name extends string>({ what, columns, lines }: CountsProps<Name>): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard
    <section className={styles.scroll} tabIndex={0} aria-label={`Counts by ${what.toLowerCase()}`}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">{what}</th>
            {columns.map((name) => (
              <th key={name} scope="col" className={styles.number}>
                {name}
              </th>
            ))}
            <th scope="col">Balance</th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ id, counts, imbalances }) => (
            <tr key={id} data-state={imbalances.length > 0 ? "bad" : undefined}>
              <th scope="row">{id}</th>
              {columns.map((name) => (
                <td key={name} className={styles.number}>
                  {count(counts[name])}
                </td>
              ))}
              <td className={imbalances.length > 0 ? styles.wide : undefined}>
                {imbalances.length === 0 ? "balanced" : imbalances.map(imbalanceText).join("; ")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
