import { Ban, CircleAlert, CircleCheck, CircleHelp, Filter, Hourglass, Layers, Redo2, RotateCcw } from "lucide-react";
import type { FollowedRecord } from "../../api/types.ts";
import { Badge, type Tone } from "../../components/badge.tsx";

type Outcome = FollowedRecord["status"];

const outcomes: Record<Outcome, readonly [Tone, typeof Ban, word: string, title: string]> = {
  delivered: ["ok", CircleCheck, "delivered", "Its destination confirmed it"],
  waiting: ["busy", Hourglass, "waiting", "It waits in the log"],
  retrying: ["warn", RotateCcw, "retrying", "It failed for a passing reason and is tried again"],
  dead_lettered: ["bad", CircleAlert, "dead letter", "It could not be delivered"],
  replayed: ["ok", Redo2, "replayed", "It was a dead letter, and was delivered by a replay"],
  discarded: ["idle", Ban, "discarded", "It was a dead letter, and somebody discarded it"],
  dropped: ["idle", Redo2, "read again", "Its run was given up, and the next one reads it again"],
  unknown: ["idle", CircleHelp, "unknown", "Nobody knows any more whether it was delivered"],
  filtered: ["idle", Filter, "filtered", "A step left it out on purpose"],
  aggregated: ["busy", Layers, "in a window", "A step took it into a window"],
};

/** What became of a record, in a word. */
export function OutcomeBadge({ of: outcome }: { readonly of: Outcome }) {
  const [tone, Icon, word, title] = outcomes[outcome];
  return (
    <Badge tone={tone} icon={<Icon size={14} aria-hidden />} title={title}>
      {word}
    </Badge>
  );
}
