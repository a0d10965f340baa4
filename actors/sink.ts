import { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Log, LogBatch, LogMessage } from "../runtime/ports/log.ts";
import type { ScheduledRetry } from "../runtime/ports/retries.ts";
import type { NewDeadLetter } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import { parseJson } from "../runtime/record/index.ts";
import { deadLetter, type RunKey, rawRecord } from "./dead-letter.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import type { Invocations } from "./invocations.ts";
import type { Outcome } from "./ledger.ts";
import { countsOf } from "./ledger-counts.ts";
import { scheduledRetry } from "./retries.ts";
import { provenanceOf } from "./steps.ts";

export interface SinkOptions {
  readonly run: RunKey;
  readonly integration: string;
  /** The destination's id. */
  readonly destination: string;
  readonly writer: Pick<DestinationWriter, "write">;
  /** Where the originals of dead letters are. */
  readonly ingest: Pick<Log, "get">;
  readonly invocations: Invocations;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Takes a batch of the deliver log to its destination, and says what became of it. */
export async function processSink(message: LogMessage, options: SinkOptions): Promise<Outcome> {
  const { run, integration, destination, writer, ingest, metrics, clock } = options;
  const { header } = message;
  const provenance = provenanceOf(run.integrationId, header);
  const origins = header.origins ?? [];
  const { gone } = message;
  const texts =
    gone === undefined
      ? Buffer.from(message.body.buffer, message.body.byteOffset, message.body.length).toString("utf8").split("\n")
      : new Array<string>(header.count).fill("");
  const children = header.children ?? [];
  const records = texts.map(
    (text, i) => new PipelineRecord(provenance, origins[i] ?? i, children[i] ?? "", undefined, text, parseJson),
  );
  const invoked = options.invocations.batch(header);
  invoked?.attach(destination, records);
  const urgent = invoked !== undefined;
  let original = null as LogBatch | null;
  // Between a write and its settlement nothing else is waited for (settler.ts).
  const failing = async () => {
    if (header.ingestSequence !== undefined) original = await ingest.get(header.ingestSequence);
  };
  const { bytes, deliveries } = message;
  const { undelivered, state, processed } =
    // Which of its records these were made of is not known of those that are gone.
    gone === undefined
      ? await writer.write(records, { header, bytes, deliveries, failing, urgent })
      : noneOf(records, gone);
  invoked?.written(destination, records, undelivered);
  const deadLetters: NewDeadLetter[] = [];
  const retries: ScheduledRetry[] = [];
  if (undelivered.length > 0) {
    /** Children of one record share it: there may be hundreds. */
    const originals = new Map<number, Uint8Array>();
    for (const { index, code, message: text, attempts, retryInMs } of undelivered) {
      const record = records[index] as PipelineRecord;
      const { origin, child } = record;
      const state = gone === undefined ? record.text : null;
      const known = originals.get(origin);
      const raw = known ?? (original && origin >= 0 ? rawRecord(original, origin) : Buffer.from(record.text));
      if (original && origin >= 0) originals.set(origin, raw);
      const cause = { step: null, destination, rule: null, code, message: text, state, attempts };
      const letter = deadLetter({ run, header, origin, child, raw, cause });
      if (retryInMs === undefined) deadLetters.push(letter);
      else retries.push(scheduledRetry(letter, record, { destination, retryInMs }, header, clock));
    }
    if (deadLetters.length > 0) metrics.recordsFailed(integration, { destination }, deadLetters.length);
  }
  const out = records.length - undelivered.length;
  return {
    deadLetters,
    retries,
    state,
    processed: processed && [processed],
    accounted: out + undelivered.length,
    change: { destinations: new Map([[destination, { published: 0, taken: header.count, confirmed: out }]]) },
    count: (total) => {
      const counts = countsOf(total, destination);
      total.out += out;
      total.failed += deadLetters.length;
      counts.out += out;
      counts.failed += deadLetters.length;
    },
  };
}

function noneOf(records: readonly unknown[], message: string): Awaited<ReturnType<DestinationWriter["write"]>> {
  return {
    state: undefined,
    undelivered: records.map((_, index) => ({ index, code: "NOT_FOUND", message, attempts: [] })),
  };
}
