import type { LogKind } from "../runtime/ports/log.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import type { Checkpoint } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import type { HealthReport } from "./health.ts";

/** What logs or store have lost. */
export interface Lost {
  readonly kind:
    | "log_lost"
    | "log_older"
    | "deliver_log_lost"
    | "deliver_log_older"
    | "deliveries_lost"
    | "store_older"
    | "history_lost"
    | "batch_lost";
  /** What is gone, what is done about it, and what nothing can be done about. */
  readonly message: string;
}

/** With what makes up for it. */
export interface Loss extends Lost {
  /** Runs whose account does not hold any more: they fail, and the next run settles what is left of them. */
  readonly runs: ReadonlySet<string>;
  /** Consumers that are given again what they had acknowledged, from a sequence on. */
  readonly rewinds: readonly Rewind[];
  /** As they are true again. */
  readonly checkpoints: readonly Checkpoint[];
}

export interface Rewind {
  readonly log: LogKind;
  readonly consumer: string;
  readonly from: number;
}

export interface Telling {
  /** The integration's name. */
  readonly name: string;
  readonly health: Pick<HealthReport, "lost">;
  readonly metrics: Pick<Metrics, "lossFound">;
  readonly logger: Logger;
}

/** Never papered over: in log, metrics and health, by which `sluice doctor` tells it too. */
export function tellLosses(losses: readonly Lost[], { name, health, metrics, logger }: Telling): void {
  for (const { kind, message } of losses) {
    logger.error({ integration: name, kind, reason: message }, "something was lost");
    metrics.lossFound(name, kind);
    health.lost(message);
  }
}
