import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleX,
  Hourglass,
  LoaderCircle,
  TriangleAlert,
} from "lucide-react";
import type { ReactNode } from "react";
import type { Circuit, Health, Job, Node, RunStatus } from "../api/types.ts";
import styles from "./badge.module.css";

export type Tone = "ok" | "warn" | "bad" | "idle" | "busy";

/** A state in a word, with an icon: never by colour alone. */
export function Badge({
  tone,
  icon,
  children,
  title,
}: {
  tone: Tone;
  icon?: ReactNode;
  children: ReactNode;
  title?: string;
}) {
  return (
    <span className={`${styles.badge} ${styles[tone]}`} title={title}>
      {icon}
      {children}
    </span>
  );
}

type Looks = readonly [tone: Tone, icon: typeof Ban, word: string];

const states = {
  ok: ["ok", CircleCheck, "ok"],
  waiting: ["warn", Hourglass, "waiting"],
  degraded: ["warn", TriangleAlert, "degraded"],
  stopped: ["bad", CircleX, "stopped"],
  disabled: ["idle", CirclePause, "disabled"],
  running: ["busy", LoaderCircle, "running"],
  success: ["ok", CircleCheck, "success"],
  partial: ["warn", CircleAlert, "partial"],
  failed: ["bad", CircleX, "failed"],
  cancelled: ["idle", Ban, "cancelled"],
  paused: ["idle", CirclePause, "paused"],
  closed: ["ok", CircleCheck, "closed"],
  open: ["bad", CircleX, "open"],
  half_open: ["warn", CircleDashed, "half open"],
  ready: ["ok", CircleCheck, "ready"],
  not_ready: ["bad", CircleX, "not ready"],
  draining: ["warn", Hourglass, "draining"],
  silent: ["bad", CircleAlert, "silent"],
  gone: ["idle", Ban, "gone"],
} as const satisfies Record<Health | RunStatus | Job["status"] | Circuit["state"] | Node["state"] | "disabled", Looks>;

/** The state of an integration, a run, a job, a circuit or a node. */
export function Status({ of: state, title }: { of: keyof typeof states; title?: string | null }) {
  const [tone, Icon, word] = states[state];
  return (
    <Badge tone={tone} icon={<Icon size={14} aria-hidden />} {...(title && { title })}>
      {word}
    </Badge>
  );
}
