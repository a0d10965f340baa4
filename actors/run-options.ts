import type { ResolvedIntegration } from "../runtime/config/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Validator } from "../runtime/ports/connectors.ts";
import type { Log, LogMessage, LogService } from "../runtime/ports/log.ts";
import type { LogFields, Logger } from "../runtime/ports/logger.ts";
import type { Owners } from "../runtime/ports/owners.ts";
import type { Sandbox } from "../runtime/ports/sandbox.ts";
import type { Space } from "../runtime/ports/space.ts";
import type { Checkpoint, RunError, RunRow, Store } from "../runtime/ports/store.ts";
import type { Metrics, Tracing } from "../runtime/ports/telemetry.ts";
import type { WorkerPool } from "../runtime/ports/workers.ts";
import type { Backlog, FairShare } from "./backlog.ts";
import type { Connectors } from "./connectors.ts";
import type { Invocations } from "./invocations.ts";
import type { RunLedger } from "./ledger.ts";
import type { Lost } from "./loss.ts";
import type { KeptReadings } from "./reading.ts";
import type { Settler } from "./settler.ts";
import type { Suspects } from "./suspects.ts";
import type { Taps } from "./taps.ts";
import type { Vitals } from "./vitals.ts";

/** What a node lends to its actors. */
export interface Services {
  readonly validator: Validator;
  readonly sandbox: Sandbox;
  readonly store: Store;
  readonly connectors: Connectors;
  readonly settler: Settler;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly logger: Logger;
  readonly space: Space;
  readonly share: FairShare;
  /** By which other nodes ask what this one owns. */
  readonly owners: Pick<Owners, "serve" | "maxBytes">;
  /** Who listens to records as they pass; undefined: nobody can. */
  readonly taps?: Taps | undefined;
  /** Undefined: steps run on the main thread alone. */
  readonly workers?: WorkerPool | undefined;
}

export interface RunOptions extends Services {
  readonly run: RunRow;
  /** The integration's name. */
  readonly name: string;
  readonly integration: ResolvedIntegration;
  readonly ingest: Log;
  readonly deliver: Log;
  readonly epoch: number;
  readonly suspects: Suspects;
  /** As `destinationsLeft` says. */
  readonly left: readonly string[];
  /** Records go by the deliver log: to several destinations, or to one of several while what these left there waits. */
  readonly logged: boolean;
  /** Of the server that has the logs. */
  readonly logStatus: LogService["status"];
  readonly checkpoints: readonly Checkpoint[];
  readonly vitals: Vitals;
  readonly invocations: Invocations;
  /** The run has no end of its own: its sources have none (trigger `event`), or it takes what is invoked. */
  readonly endless?: EndlessRun | undefined;
  /** Why nothing moves, or null once it does again. */
  readonly waiting: (reason: string | null) => void;
  /** What the ledger says that does not balance, or null: the run has ended, and it does. */
  readonly imbalanced: (reason: string | null) => void;
  /** What logs or store turn out to have lost. */
  readonly lost: (lost: Lost) => void;
  /** `error`: it failed. */
  readonly finished: (error: RunError | null) => void;
  /** The integration has a later owner: nothing more may be done here. */
  readonly stale: (error: unknown) => void;
}

/** Of what has no end: it is cut into runs. */
export interface EndlessRun {
  /** A run ends at the next multiple of it, in milliseconds since the epoch. */
  readonly runMs: number;
  /** Sources that stay open from one run to the next. */
  readonly kept: KeptReadings;
}

/** What a run's parts share. */
export interface RunParts {
  readonly options: RunOptions;
  readonly ledger: RunLedger;
  /** With the integration and the run. */
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly backlogOf: (consumer: string) => Backlog;
  /** Why a part does not move, or null once it does again. */
  readonly waiting: (part: string, reason: string | null) => void;
  readonly say: (level: keyof Logger, message: string, fields: LogFields) => void;
  /** Throws where what the source counted is not what was settled (invariant 8). */
  readonly balance: (end: LogMessage) => void;
}
