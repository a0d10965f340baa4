import type { RunDetail } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { count } from "../../lib/format.ts";
import styles from "../integration/small-table.module.css";

/** What each destination confirmed and refused. */
export function Destinations({ run }: { readonly run: RunDetail }) {
  const destinations = Object.entries(run.by_destination);
  if (destinations.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard
    <section className={styles.scroll} tabIndex={0} aria-label="What each destination took">
      <table className={styles.table}>
        <caption className="sr-only">By destination</caption>
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col" className={styles.number}>
              Out
            </th>
            <th scope="col" className={styles.number}>
              Failed
            </th>
            <th scope="col" className={styles.number}>
              Pending
            </th>
            <th scope="col">Circuit</th>
          </tr>
        </thead>
        <tbody>
          {destinations.map(([id, { out, failed }]) => {
            const circuit = run.circuits?.[id];
            return (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td className={styles.number}>{count(out)}</td>
                <td className={styles.number}>{count(failed)}</td>
                <td className={styles.number}>{count(run.ledger?.destinations[id]?.pending ?? 0)}</td>
                <td>{circuit === undefined ? "–" : <Status of={circuit.state} title={circuit.reason} />}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
