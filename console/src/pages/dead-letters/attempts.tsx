import { Link } from "@tanstack/react-router";
import type { DeadLetter } from "../../api/types.ts";
import { Panel } from "../../components/page.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { moment } from "../../lib/format.ts";
import small from "../integration/small-table.module.css";
import styles from "./dead-letters.module.css";

/** Each try with what it failed with, and what people did with the dead letter. The newest first. */
export function Attempts({ letter }: { readonly letter: DeadLetter }) {
  const { attempts, resolved_at: resolved, resolved_by: by, resolution, resolution_reason: reason } = letter;
  return (
    <Panel title="Tries">
      {(letter.corrected_at !== null || resolved !== null) && (
        <ul className={styles.history}>
          {resolved !== null && (
            <li>
              {resolution === "discarded" ? "Discarded" : "Delivered by a replay"} <RelativeTime at={resolved} />
              {by !== null && ` by ${by}`}
              {reason !== null && `: ${reason}`}
              {letter.resolved_run_id !== null && (
                <>
                  {", "}
                  <Link to="/runs/$id" params={{ id: letter.resolved_run_id }}>
                    its run
                  </Link>
                </>
              )}
            </li>
          )}
          {letter.corrected_at !== null && (
            <li>
              Corrected <RelativeTime at={letter.corrected_at} />
              {letter.corrected_by !== null && ` by ${letter.corrected_by}`}
            </li>
          )}
        </ul>
      )}
      <Table attempts={attempts} />
    </Panel>
  );
}

function Table({ attempts }: Pick<DeadLetter, "attempts">) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard
    <section className={small.scroll} tabIndex={0} aria-label="Tries">
      <table className={small.table}>
        <thead>
          <tr>
            <th scope="col" className={small.number}>
              Try
            </th>
            <th scope="col">When</th>
            <th scope="col">Code</th>
            <th scope="col" className={small.wide}>
              What came back
            </th>
          </tr>
        </thead>
        <tbody>
          {attempts
            .map(({ at, code, message }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: tries are added at the end alone
              <tr key={index}>
                <th scope="row" className={small.number}>
                  {index + 1}
                </th>
                <td title={moment(at)}>
                  <RelativeTime at={at} />
                </td>
                <td>
                  <code>{code}</code>
                </td>
                <td className={small.wide}>{message}</td>
              </tr>
            ))
            .toReversed()}
        </tbody>
      </table>
    </section>
  );
}
