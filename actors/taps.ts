import type { Json, OutRecord } from "../connectors/sdk/index.ts";
import type { Undelivered } from "../runtime/delivery/index.ts";
import { compilePredicate, type Predicate } from "../runtime/mapping/index.ts";
import type { Flow, PipelineContext } from "../runtime/pipeline/index.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import {
  type TapInterest,
  type Tapped,
  type TappedRecord,
  tapInterests,
  tapLeaseMs,
  tapped,
} from "../runtime/ports/taps.ts";

export interface TapsOptions {
  readonly cluster: Pick<Cluster, "publish" | "subscribe">;
  /**
   * Takes secrets out of a text: of a team's integration that team's, of one without a team all. Who may send texts
   * through an integration and listens to it would else see which secrets others have.
   */
  readonly redact: (text: string, owner: string | null) => string;
}

/**
 * Five times a second, at most so much to each listener: 100 records a second, and what a message of the server holds.
 * Steps and destinations have equal parts of it, so that what was read first does not leave the others out.
 */
const sendMs = 200;
const most = { records: 20, characters: 256 * 1024, ofRecord: 64 * 1024 };
/** What is at one place of a batch. */
type At = (index: number) => Pick<TappedRecord, "recordId" | "to" | "failure"> & { readonly value: Json };

/** What one step or destination has had of a listener's share. */
interface Part {
  records: number;
  characters: number;
}

interface Listener {
  readonly interest: TapInterest;
  readonly where: Predicate | undefined;
  until: number;
  records: TappedRecord[];
  characters: number;
  skipped: number;
  /** By point and name, of all that were seen. */
  readonly parts: Map<string, Part>;
}

/** The records of one integration, for those who listen to it. */
export class IntegrationTap {
  readonly listeners = new Map<string, Listener>();
  readonly #redact: (text: string) => string;

  constructor(redact: (text: string) => string) {
    this.#redact = redact;
  }

  read({ origins, values }: Flow, recordId: PipelineContext["recordId"]): void {
    this.#offer("source", "source", values.length, (i) => ({
      recordId: recordId(origins[i] as number, ""),
      value: values[i] as Json,
    }));
  }

  /** As a pipeline is observed. */
  observe(recordId: PipelineContext["recordId"]): NonNullable<PipelineContext["observe"]> {
    const given = (step: string, { origins, values, children }: Flow, to?: string) => {
      this.#offer("step", step, values.length, (i) => ({
        recordId: recordId(origins[i] as number, children?.[i] ?? ""),
        value: values[i] as Json,
        ...(to !== undefined && { to }),
      }));
    };
    return (step, _, output) => {
      if (output instanceof Map) for (const [to, flow] of output as Map<string, Flow>) given(step, flow, to);
      else given(step, output as Flow);
    };
  }

  written(destination: string, records: readonly OutRecord[], undelivered: readonly Undelivered[]): void {
    const failures = new Map(undelivered.map((failure) => [failure.index, failure]));
    this.#offer("destination", destination, records.length, (i) => {
      const { id, value } = records[i] as OutRecord;
      const failed = failures.get(i);
      if (failed === undefined) return { recordId: id, value };
      const { code, message, retryInMs } = failed;
      return { recordId: id, value, failure: { code, message, ...(retryInMs !== undefined && { retryInMs }) } };
    });
  }

  #offer(point: TappedRecord["point"], at: string, count: number, record: At): void {
    for (const listener of this.listeners.values()) {
      const { interest, where } = listener;
      if (!wants(interest, point, at)) continue;
      const part = partOf(listener, `${point} ${at}`);
      for (let i = 0; i < count; i++) {
        const isFull = hasAll(listener, part);
        if (isFull && where === undefined) {
          listener.skipped += count - i;
          break;
        }
        const { value, failure, ...rest } = record(i);
        if (where !== undefined && !matches(where, value)) continue;
        if (isFull) {
          listener.skipped++;
          continue;
        }
        const text = JSON.stringify(value);
        const isShown = text.length <= most.ofRecord;
        const told = failure && { failure: { ...failure, message: this.#redact(failure.message) } };
        const shown = isShown ? this.#clean(text) : null;
        listener.records.push({ point, at, ...rest, text: shown, size: text.length, ...told });
        part.records++;
        part.characters += isShown ? text.length : 0;
        listener.characters += isShown ? text.length : 0;
      }
    }
  }

  /** JSON still: a number that is a secret leaves a text that is none. */
  #clean(text: string): string {
    const clean = this.#redact(text);
    if (clean === text) return text;
    try {
      JSON.parse(clean);
      return clean;
    } catch {
      return JSON.stringify(clean);
    }
  }
}

/**
 * Who listens to which integration: while nobody does, a batch costs one look. What is sent is a sample, and holds up
 * nothing: what is beyond a listener's share is counted and left out.
 */
export class Taps {
  readonly #options: TapsOptions;
  readonly #integrations = new Map<string, IntegrationTap>();
  #unsubscribe: (() => void) | undefined;
  #sending: NodeJS.Timeout | undefined;

  constructor(options: TapsOptions) {
    this.#options = options;
  }

  /** Undefined: nobody listens. */
  of(integrationId: string): IntegrationTap | undefined {
    return this.#integrations.size === 0 ? undefined : this.#integrations.get(integrationId);
  }

  start(): void {
    this.#unsubscribe = this.#options.cluster.subscribe(tapInterests, (message) => {
      this.#hear(message as unknown as TapInterest);
    });
  }

  stop(): void {
    this.#unsubscribe?.();
    clearInterval(this.#sending);
    this.#integrations.clear();
  }

  #hear(interest: TapInterest): void {
    const { id, integrationId, ended } = interest;
    const tap = this.#integrations.get(integrationId);
    if (ended) {
      this.#forget(integrationId, id);
      return;
    }
    const until = performance.now() + tapLeaseMs;
    const known = tap?.listeners.get(id);
    if (known !== undefined) {
      known.until = until;
      return;
    }
    const where = interest.where === null ? undefined : compilePredicate(interest.where);
    const heard = tap ?? new IntegrationTap((text) => this.#options.redact(text, interest.owner));
    heard.listeners.set(id, { interest, where, until, records: [], characters: 0, skipped: 0, parts: new Map() });
    this.#integrations.set(integrationId, heard);
    this.#sending ??= setInterval(() => this.#send(), sendMs).unref();
  }

  #forget(integrationId: string, id: string): void {
    const tap = this.#integrations.get(integrationId);
    tap?.listeners.delete(id);
    if (tap?.listeners.size === 0) this.#integrations.delete(integrationId);
    if (this.#integrations.size > 0) return;
    clearInterval(this.#sending);
    this.#sending = undefined;
  }

  /** A server that takes small messages only is no reason for a node to die: what it does not take is left out. */
  #tell(id: string, message: Tapped): void {
    const { records, skipped } = message;
    const { cluster } = this.#options;
    try {
      cluster.publish(tapped(id), message as unknown as Json);
    } catch {
      const rest: Tapped = { records: [], skipped: skipped + records.length };
      cluster.publish(tapped(id), rest as unknown as Json);
    }
  }

  #send(): void {
    const now = performance.now();
    for (const [integrationId, { listeners }] of [...this.#integrations]) {
      for (const [id, listener] of [...listeners]) {
        const { records, skipped, until } = listener;
        if (records.length > 0 || skipped > 0) {
          this.#tell(id, { records, skipped });
          Object.assign(listener, { records: [], characters: 0, skipped: 0 });
          for (const part of listener.parts.values()) Object.assign(part, { records: 0, characters: 0 });
        }
        if (until < now) this.#forget(integrationId, id);
      }
    }
  }
}

function partOf({ parts }: Listener, place: string): Part {
  const known = parts.get(place);
  if (known !== undefined) return known;
  const part = { records: 0, characters: 0 };
  parts.set(place, part);
  return part;
}

/** Whether a part, or all of them, have had their share. */
function hasAll({ records, characters, parts: { size } }: Listener, part: Part): boolean {
  if (records.length >= Math.max(most.records, size) || characters >= most.characters) return true;
  return part.records >= Math.max(1, Math.floor(most.records / size)) || part.characters >= most.characters / size;
}

function wants({ step, destination }: TapInterest, point: TappedRecord["point"], at: string): boolean {
  if (step === null && destination === null) return true;
  return point === "destination" ? at === destination : at === step;
}

/** What is no object fits no predicate. */
function matches(where: Predicate, value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && where.test(value);
}
