import {
  Ban,
  CircleAlert,
  CircleCheck,
  Clock,
  Database,
  Inbox,
  type LucideIcon,
  Pencil,
  Redo2,
  RotateCcw,
} from "lucide-react";
import type { FollowedEvent } from "../../api/types.ts";
import { RelativeTime } from "../../components/time.tsx";
import styles from "./follow.module.css";

const kinds: Record<FollowedEvent["type"], readonly [LucideIcon, word: string, tone: "ok" | "bad" | "warn" | "idle"]> =
  {
    received: [Inbox, "Read or received", "idle"],
    logged: [Database, "In the log", "idle"],
    attempt_failed: [RotateCcw, "A try failed", "warn"],
    next_attempt: [Clock, "The next try", "warn"],
    dead_lettered: [CircleAlert, "Dead letter", "bad"],
    corrected: [Pencil, "Corrected", "idle"],
    replayed: [Redo2, "Delivered by a replay", "ok"],
    discarded: [Ban, "Discarded", "idle"],
    delivered: [CircleCheck, "Delivered", "ok"],
  };

/** What happened to a record, in the order of time. */
export function Timeline({ events }: { readonly events: readonly FollowedEvent[] }) {
  return (
    <ol className={styles.timeline}>
      {events.map((event, at) => {
        const [Icon, word, tone] = kinds[event.type];
        const { step, destination, code, message } = event;
        const where = step === null ? destination : `step ${step}`;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may be alike, and they never change places
          <li key={at} data-tone={tone}>
            <Icon size={16} aria-hidden />
            <span className={styles.what}>
              <strong>{word}</strong>
              {where !== null && <span> · {where}</span>}
              {code !== null && (
                <>
                  {" "}
                  <code>{code}</code>
                </>
              )}
              {message !== null && <span className={styles.message}>{message}</span>}
            </span>
            <time dateTime={event.at} className="soft" title={event.at}>
              {event.at.slice(0, 23).replace("T", " ")} · <RelativeTime at={event.at} />
            </time>
          </li>
        );
      })}
    </ol>
  );
}
