import { useQuery } from "@tanstack/react-query";
import { CalendarClock } from "lucide-react";
import { api, type Page } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import type { Integration } from "../../api/types.ts";
import { Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { moment } from "../../lib/format.ts";
import styles from "./integration.module.css";

const missed = {
  once: "runs once for the last of the times that passed while no node was up",
  skip: "leaves out times that passed while no node was up",
};
const overlapping = {
  skip: "leaves out a time at which the run before is still under way",
  queue: "opens the run when the one before has ended",
  run: "opens the run at once; it is carried out when the one before has ended",
};
const others = {
  manual: ["It runs when it is asked to", "With Run now, by the API or by the command line."],
  webhook: ["It runs all the time", "Records come by webhooks; each hour is a run of its own."],
  event: ["It runs all the time", "Records come as events; each hour is a run of its own."],
} as const;

/** When it runs by itself. */
export function Schedule({ integration }: { readonly integration: Integration }) {
  const { id, name, version, enabled, trigger = { type: "manual" as const } } = integration;
  if (trigger.type !== "schedule") {
    const [title, more] = others[trigger.type];
    return (
      <Empty title={title} icon={<CalendarClock size={28} aria-hidden />}>
        <p>{more}</p>
        {trigger.type === "webhook" && <code>POST /v1/hooks/{name}</code>}
      </Empty>
    );
  }
  const {
    cron,
    timezone = "UTC",
    misfire = "once",
    overlap = "skip",
  } = trigger as unknown as {
    cron: string;
    timezone?: string;
    misfire?: keyof typeof missed;
    overlap?: keyof typeof overlapping;
  };
  return (
    <div className={styles.columns}>
      <Panel title="Schedule">
        <dl className={styles.settings}>
          <dt>Times</dt>
          <dd>
            <code>{cron}</code>
          </dd>
          <dt>Time zone</dt>
          <dd>{timezone}</dd>
          <dt>Missed</dt>
          <dd>
            <code>{misfire}</code>: {missed[misfire]}
          </dd>
          <dt>Overlap</dt>
          <dd>
            <code>{overlap}</code>: {overlapping[overlap]}
          </dd>
        </dl>
      </Panel>
      <Panel title="Next fires">
        {enabled ? (
          <Fires key={version} id={id} version={version} timezone={timezone} />
        ) : (
          <p className="soft">None: it is disabled.</p>
        )}
      </Panel>
    </div>
  );
}

interface FiresProps {
  readonly id: string;
  readonly version: number;
  readonly timezone: string;
}

function Fires({ id, version, timezone }: FiresProps) {
  const { data, error, refetch } = useQuery({
    queryKey: ["fires", id, version],
    queryFn: ({ signal }) => api.get<Page<{ at: string }>>(`/v1/integrations/${id}/fires`, {}, signal),
    // The first of them passes.
    refetchInterval: ({ state }) => {
      const next = state.data?.items[0];
      return next === undefined ? false : Math.max(1000, Math.min(Date.parse(next.at) - Date.now() + 500, 3_600_000));
    },
  });
  if (data === undefined)
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={5} />;
  if (data.items.length === 0) return <p className="soft">It fires no more.</p>;
  const there = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium", timeZone: timezone });
  return (
    <ol className={styles.times}>
      {data.items.map(({ at }) => (
        <li key={at}>
          <time dateTime={at} title={`${moment(at)} here`}>
            {there.format(new Date(at))}
          </time>
          <span className="soft">
            <RelativeTime at={at} />
          </span>
        </li>
      ))}
    </ol>
  );
}
