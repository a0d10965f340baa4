import type { Cursor } from "../connectors/sdk/index.ts";
import type { ResolvedSource } from "../runtime/config/index.ts";
import { sourceKey } from "../runtime/live/index.ts";
import type { BatchHeader, Log, SourcePosition } from "../runtime/ports/log.ts";
import type { RunError, RunRow } from "../runtime/ports/store.ts";
import { sourceName } from "./source-name.ts";

export const sourceSubject = "r.0";

export interface IntakeOptions {
  readonly run: RunRow;
  readonly sources: readonly ResolvedSource[];
  readonly log: Pick<Log, "last">;
  /** The copy of a source's cursor, for a log that has none. */
  readonly savedCursor: (source: string) => Promise<Cursor | null>;
}

/**
 * Where each source of a run stands. They append to one subject: every message carries the positions of all of them, as
 * they are with it, so that the log's last message alone says where to go on (invariant 1).
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #positions = new Map<string, SourcePosition>();
  #ended = false;

  private constructor(options: IntakeOptions) {
    this.#options = options;
  }

  static async open(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    const { log, run, sources, savedCursor } = options;
    const last = await log.last(sourceSubject);
    for (const source of sources) {
      const name = sourceName(source);
      const known = positionIn(last, name);
      if (last?.runId === run.id && known) intake.#positions.set(name, known);
      else {
        // What the cursor belongs to is part of its name: another stream or cursor field begins anew.
        const goesOn =
          source.mode === "incremental" ? (known?.cursor ?? (last ? null : await savedCursor(name))) : null;
        intake.#positions.set(name, { cursor: goesOn, batches: 0, records: 0, ended: false });
      }
    }
    intake.#ended = last?.runId === run.id && last.kind === "end";
    return intake;
  }

  /** The run's end is in the log, or on its way there. */
  get ended(): boolean {
    return this.#ended;
  }

  get totals(): BatchHeader["totals"] {
    const sum = { batches: 0, records: 0 };
    for (const { batches, records } of this.#positions.values()) {
      sum.batches += batches;
      sum.records += records;
    }
    return sum;
  }

  /** Records read, by source, as the flow meter has it. */
  get read(): ReadonlyMap<string, number> {
    return new Map(
      Array.from(this.#positions, ([name, { records }]) => {
        const [connector, stream] = JSON.parse(name) as [string, string];
        return [sourceKey({ connector, stream }), records];
      }),
    );
  }

  position(source: ResolvedSource): SourcePosition {
    return this.#positions.get(sourceName(source)) as SourcePosition;
  }

  /** Called in the order of the appends. */
  advance(source: ResolvedSource, position: SourcePosition): void {
    this.#positions.set(sourceName(source), position);
  }

  /** One source is at its end; true when all are. */
  end(source: ResolvedSource, error: RunError | undefined): boolean {
    this.advance(source, { ...this.position(source), ended: true, ...(error && { error }) });
    this.#ended = Array.from(this.#positions.values()).every(({ ended }) => ended);
    return this.#ended;
  }

  /** Of the run: the first source that stopped before its end says why. */
  get error(): RunError | undefined {
    return this.#positions.values().find(({ error }) => error !== undefined)?.error;
  }

  /** The header of what is appended next. */
  header(kind: "records" | "end", source: ResolvedSource, now: number): BatchHeader {
    const { run, sources } = this.#options;
    const { error } = this;
    return {
      kind,
      runId: run.id,
      integrationVersion: run.integrationVersion,
      stream: source.stream,
      source: sourceName(source),
      count: 0,
      cursor: this.position(source).cursor,
      position: { base: "", offset: 0 },
      ingestedAt: now,
      totals: this.totals,
      ...(run.correlation && { correlation: run.correlation }),
      ...(sources.length > 1 && { sources: Object.fromEntries(this.#positions) }),
      ...(kind === "end" && error && { error }),
    };
  }
}

/** What a message says of a source. */
export function positionIn(last: BatchHeader | null, name: string): SourcePosition | undefined {
  if (last?.sources) return last.sources[name];
  if (last?.source !== name) return undefined;
  const { cursor, totals, kind } = last;
  return { cursor, ...totals, ended: kind === "end" };
}
