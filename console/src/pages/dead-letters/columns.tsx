import type { DeadLetter, DeadLetterGroup } from "../../api/types.ts";
import type { Column } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import styles from "./dead-letters.module.css";
import { LetterState } from "./letter-state.tsx";

type Place = Pick<DeadLetter, "step" | "destination" | "rule">;

/** Where a record was refused. */
export function placeOf({ step, destination, rule }: Place): string {
  if (step === null && destination === null) return "source";
  const place = step === null ? `destination ${destination}` : `step ${step}`;
  return rule === null ? place : `${place}, rule ${rule}`;
}

const versionsOf = ({ first_version: first, last_version: last }: DeadLetterGroup): string =>
  first === last ? String(first) : `${first} – ${last}`;

export const groupColumns: readonly Column<DeadLetterGroup>[] = [
  {
    id: "message",
    title: "Error",
    width: "minmax(160px, 3fr)",
    cell: ({ message }) => <span title={message}>{message}</span>,
  },
  {
    id: "count",
    title: "Records",
    width: "80px",
    align: "end",
    cell: ({ count: records }) => <strong>{count(records)}</strong>,
  },
  { id: "code", title: "Code", width: "152px", cell: ({ code }) => <code>{code}</code> },
  { id: "where", title: "Where", width: "minmax(136px, 1fr)", cell: placeOf },
  { id: "versions", title: "Versions", width: "72px", cell: versionsOf },
  { id: "first", title: "First", width: "80px", cell: ({ first_failed_at: at }) => <RelativeTime at={at} /> },
  { id: "last", title: "Last", width: "80px", cell: ({ last_attempted_at: at }) => <RelativeTime at={at} /> },
];

export const recordColumns: readonly Column<DeadLetter>[] = [
  {
    id: "place",
    title: "Record",
    width: "minmax(150px, 1.4fr)",
    cell: ({ position }) => (
      <span className={styles.place} title={`${position.base}:${position.ordinal}`}>
        <span className="cut">{position.base}</span>:{position.ordinal}
      </span>
    ),
  },
  {
    id: "message",
    title: "Error",
    width: "minmax(160px, 3fr)",
    cell: ({ message }) => <span title={message}>{message}</span>,
  },
  { id: "code", title: "Code", width: "152px", cell: ({ code }) => <code>{code}</code> },
  { id: "where", title: "Where", width: "minmax(136px, 1fr)", cell: placeOf },
  { id: "version", title: "Version", width: "64px", align: "end", cell: (letter) => letter.integration_version },
  {
    id: "attempts",
    title: "Tries",
    width: "56px",
    align: "end",
    cell: ({ attempt_count: tries }) => count(tries),
  },
  {
    id: "last",
    title: "Last tried",
    width: "92px",
    sort: { up: "last_attempted_at", down: "-last_attempted_at" },
    cell: ({ last_attempted_at: at }) => <RelativeTime at={at} />,
  },
  { id: "state", title: "State", width: "104px", cell: (letter) => <LetterState letter={letter} /> },
];
