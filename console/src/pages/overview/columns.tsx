import { Link } from "@tanstack/react-router";
import { CircleSlash } from "lucide-react";
import type { OverviewItem } from "../../api/types.ts";
import { Badge, Status } from "../../components/badge.tsx";
import { Sparkline } from "../../components/sparkline.tsx";
import type { Column } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMay } from "../../layout/me.ts";
import { percent, rate, shortCount } from "../../lib/format.ts";
import { DeadLettersLink } from "../integration/dead-letters-link.tsx";
import styles from "./overview.module.css";

export const columns: readonly Column<OverviewItem>[] = [
  {
    id: "name",
    title: "Integration",
    width: "minmax(160px, 2fr)",
    sort: { up: "name", down: "attention" },
    cell: (item) => <Name item={item} />,
  },
  { id: "health", title: "State", width: "112px", cell: (item) => <State item={item} /> },
  {
    id: "rate",
    title: "Records/s",
    width: "84px",
    align: "end",
    cell: ({ live }) => (
      <span title={`in ${rate(live.records_in_per_second)}/s, out ${rate(live.records_out_per_second)}/s`}>
        {rate(live.records_out_per_second)}
      </span>
    ),
  },
  {
    id: "spark",
    title: "Last minute",
    width: "120px",
    wideOnly: true,
    cell: ({ name, live }) => (
      <Sparkline
        values={live.samples.out}
        failed={live.samples.failed}
        label={`${name}: records delivered in each of the last seconds`}
      />
    ),
  },
  { id: "lag", title: "Lag", width: "72px", align: "end", cell: ({ live }) => shortCount(live.lag) },
  {
    id: "errors",
    title: "Errors",
    width: "72px",
    align: "end",
    cell: ({ live }) => <Alarming of={live.error_ratio}>{percent(live.error_ratio)}</Alarming>,
  },
  {
    id: "dead",
    title: "Dead letters",
    width: "92px",
    align: "end",
    cell: (item) => <DeadLetters item={item} />,
  },
  {
    id: "run",
    title: "Last run",
    width: "minmax(150px, 1fr)",
    cell: ({ last_run: run }) => run && <LastRun run={run} />,
  },
  {
    id: "next",
    title: "Next fire",
    width: "84px",
    wideOnly: true,
    cell: ({ next_fire_at: at, trigger }) =>
      at === null ? <span className="soft">{trigger}</span> : <RelativeTime at={at} />,
  },
];

function Name({ item: { id, name, health_reason: reason, live } }: { item: OverviewItem }) {
  const why = reason ?? live.waiting;
  return (
    <div className={styles.name}>
      <Link to="/integrations/$id" params={{ id }} className="cut" title={name}>
        {name}
      </Link>
      {why && (
        <span className={`${styles.why} cut`} title={why}>
          {why}
        </span>
      )}
    </div>
  );
}

/** Health, and circuits where they are not closed. */
function State({ item: { enabled, health, health_reason: reason, live } }: { item: OverviewItem }) {
  const open = Object.entries(live.circuits).filter(([, { state }]) => state !== "closed");
  return (
    <div className={styles.state}>
      <Status of={enabled ? health : "disabled"} title={reason} />
      {open.length > 0 && (
        <Badge
          tone="bad"
          icon={<CircleSlash size={14} aria-hidden />}
          title={open
            .map(([of, { state, reason }]) => `${of}: ${state.replace("_", " ")}${reason ? `, ${reason}` : ""}`)
            .join("\n")}
        >
          {open.length === 1 ? "circuit open" : `${open.length} circuits open`}
        </Badge>
      )}
    </div>
  );
}

function LastRun({ run }: { run: NonNullable<OverviewItem["last_run"]> }) {
  return (
    <span className={styles.run}>
      <Status of={run.status} />
      <RelativeTime at={run.finished_at ?? run.started_at} />
    </span>
  );
}

/** What is more than nothing is seen, and said in another weight, not by colour alone. */
function Alarming({ of, children }: { of: number; children: string }) {
  return of > 0 ? <strong className={styles.bad}>{children}</strong> : <span className="soft">{children}</span>;
}

function DeadLetters({ item }: { item: OverviewItem }) {
  const depth = item.live.dead_letters;
  const mayRead = useMay("dead-letters:read");
  if (depth === null) return "–";
  const shown = <Alarming of={depth}>{shortCount(depth)}</Alarming>;
  return depth === 0 || !mayRead ? shown : <DeadLettersLink id={item.id}>{shown}</DeadLettersLink>;
}
