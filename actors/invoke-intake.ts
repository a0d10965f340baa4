import type { ResolvedSource } from "../runtime/config/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Log } from "../runtime/ports/log.ts";
import type { RunRow } from "../runtime/ports/store.ts";
import { gathered, type Tracing } from "../runtime/ports/telemetry.ts";
import type { Backlog } from "./backlog.ts";
import { type Intake, sourceSubject } from "./intake.ts";
import type { Invocations, InvokedRecords, Taker } from "./invocations.ts";

export interface InvokeIntakeOptions {
  readonly run: RunRow;
  /** Of the run: invoked records stand among its own, and move no cursor. */
  readonly source: ResolvedSource;
  /** What the records are said to be of. */
  readonly stream: string;
  readonly intake: Intake;
  readonly log: Log;
  readonly backlog: Backlog;
  readonly invocations: Invocations;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** So many records of the run are in the log. */
  readonly appended: (records: number) => void;
  /** The run is to end, since what waits has seen a later version of the integration. Undefined: it takes that all the same. */
  readonly outdated: (() => void) | undefined;
}

/** Appends under way at once: what comes meanwhile goes together. */
const appendsAtOnce = 2;

/** Appends what is invoked to the log of the run that is under way, until that comes to its end. */
export class InvokeIntake implements Taker {
  readonly #options: InvokeIntakeOptions;
  #underWay = 0;

  constructor(options: InvokeIntakeOptions) {
    this.#options = options;
  }

  get run(): RunRow {
    return this.#options.run;
  }

  pump(): void {
    const { invocations, intake, run, outdated, signal } = this.#options;
    if (outdated && invocations.newest > run.integrationVersion) {
      outdated();
      return;
    }
    while (this.#underWay < appendsAtOnce && !intake.ended && !signal.aborted) {
      const records = invocations.take(this);
      if (records === undefined) return;
      this.#underWay++;
      this.#append(records)
        .catch((error) => records.lost({ code: "UNAVAILABLE", message: messageOf(error) }))
        .finally(() => {
          this.#underWay--;
          this.pump();
        });
    }
  }

  async #append(records: InvokedRecords): Promise<void> {
    const { run, source, stream, intake, log, backlog, tracing, clock, signal, appended } = this.#options;
    const { data: body, header: own } = records;
    // Nothing is waited for in between: the run's end comes behind what is begun here.
    backlog.takeNow(body.length);
    const at = intake.position(source);
    intake.advance(source, { ...at, batches: at.batches + 1, records: at.records + own.count });
    const origin = gathered((own.correlations ?? []).map((each) => each?.traceparent));
    const span = tracing.start("append", { "sluice.records": own.count }, origin);
    const { traceparent } = span;
    const made = { ...intake.header("records", source, clock.now()), stream, ...own };
    const header = { ...made, ...(traceparent && { traceparent }) };
    records.appending(header);
    const id = `${run.id}:${own.position.base}`;
    try {
      await log.append(sourceSubject, { header, body }, { id }, signal);
      span.end();
    } catch (error) {
      span.end(error);
      backlog.give(body.length);
      throw error;
    }
    records.logged();
    appended(header.totals.records);
  }
}
