import type { FollowedOutcome } from "../../api/types.ts";
import { RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import small from "../integration/small-table.module.css";
import { OutcomeBadge } from "./outcome.tsx";

/** What came of a record at each destination that it reaches. */
export function Outcomes({ outcomes }: { readonly outcomes: readonly FollowedOutcome[] }) {
  if (outcomes.length === 0) return <p className="soft">It came to no destination.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard
    <section className={small.scroll} tabIndex={0} aria-label="Destinations">
      <table className={small.table}>
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col">Outcome</th>
            <th scope="col" className={small.number}>
              Failed tries
            </th>
            <th scope="col">When</th>
            <th scope="col">Written to</th>
          </tr>
        </thead>
        <tbody>
          {outcomes.map(({ destination, connector, stream, mode, status, attempts, next_attempt_at, delivered_by }) => (
            <tr key={destination}>
              <th scope="row">{destination}</th>
              <td>
                <OutcomeBadge of={status} />
              </td>
              <td className={small.number}>{count(attempts.length)}</td>
              <td>
                {next_attempt_at !== null && (
                  <>
                    next try <RelativeTime at={next_attempt_at} />
                  </>
                )}
                {delivered_by !== null && (
                  <>
                    by <RelativeTime at={delivered_by} />
                  </>
                )}
                {next_attempt_at === null && delivered_by === null && "–"}
              </td>
              <td>
                {connector} · {stream} · {mode}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
