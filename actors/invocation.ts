import type { Json } from "../connectors/sdk/index.ts";
import type { Undelivered } from "../runtime/delivery/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { DeliveryCall } from "../runtime/ports/delivery-call.ts";
import type {
  DestinationResult,
  DestinationStatus,
  Invocation,
  Invoked,
  InvokeError,
  StepFailed,
} from "../runtime/ports/invoke.ts";

/** What an answer shows of what a step made of one record; the counts say how many there are. */
const shownRecords = 100;

/** A record on its way whose caller waits. It is answered once, whatever happens to the record afterwards. */
export class Call {
  readonly invocation: Invocation;
  readonly answered = Promise.withResolvers<Invoked>();
  /** `appending`: an append is under way, which may land although nobody hears of it. */
  place: "waiting" | "appending" | "logged" | "answered" = "waiting";
  /** In the log, once it goes there: the base of its batch's position, and its place in the batch. */
  base = "";
  origin = -1;
  recordId: string | null = null;
  runId: string | null = null;
  /** Nothing of it may be written any more. */
  withdrawn = false;
  readonly #destinations = new Map<string, CallAt>();
  #failures: StepFailed[] = [];
  #absorbed = false;
  /** What it became is known. */
  #through = false;
  /** Destinations that a write of it had begun to before a crash. */
  readonly #begunBefore = new Set<string>();
  readonly #ended: (call: Call) => void;
  readonly #cancelTimer: () => void;

  /** `ended` is told once, when there is an answer. */
  constructor(invocation: Invocation, clock: Clock, ended: (call: Call) => void) {
    this.invocation = invocation;
    this.#ended = ended;
    const late = { code: "TIMEOUT", message: `it was not through in ${invocation.timeoutMs} ms` } as const;
    this.#cancelTimer = clock.after(invocation.timeoutMs, () => this.expire(late));
  }

  get perishable(): boolean {
    return this.invocation.onTimeout === "drop";
  }

  /** Steps begin with it, perhaps once more: a crash has undone what they did. */
  begin(): void {
    for (const [destination, { begun }] of this.#destinations) if (begun) this.#begunBefore.add(destination);
    this.#destinations.clear();
    this.#failures = [];
    this.#absorbed = false;
    this.#through = false;
  }

  absorbed(): void {
    this.#absorbed = true;
  }

  failed(failure: StepFailed): void {
    this.#failures.push(failure);
  }

  at(destination: string): CallAt {
    const known = this.#destinations.get(destination);
    if (known) return known;
    const made = new CallAt(this, this.#begunBefore.has(destination));
    this.#destinations.set(destination, made);
    return made;
  }

  waitsFor(destination: string): boolean {
    return (this.#destinations.get(destination)?.open ?? 0) > 0;
  }

  /** No step makes anything more of it. */
  through(): void {
    this.#through = true;
    this.check();
  }

  /** Answers where nothing is open any more. */
  check(): void {
    if (!this.#through || this.place === "answered") return;
    for (const at of this.#destinations.values()) if (at.open > 0) return;
    this.#answer(this.#outcome(), true, null);
  }

  /** Nobody waits any longer, for this reason: what happens to the record now is up to `on_timeout`. */
  expire(reason: InvokeError): void {
    if (this.place === "answered") return;
    this.withdrawn = this.perishable || this.place === "waiting";
    this.#answer("unfinished", this.#isKept(), reason);
  }

  /**
   * As in Invoked. An append that is under way may yet land; what is perishable is left out then. False only where
   * sending it again does nothing twice: no write has begun, and none of it is a dead letter or in a window.
   */
  #isKept(): boolean | null {
    if (this.place === "waiting") return false;
    if (!this.perishable) return this.place === "logged" ? true : null;
    const leftSomething =
      this.#absorbed || this.#begunBefore.size > 0 || this.#failures.some(({ dropped }) => !dropped);
    const wrote = this.#destinations.values().some((at) => at.begun || at.out > 0 || at.failed > 0);
    return leftSomething || wrote ? null : false;
  }

  #answer(status: Invoked["status"], kept: boolean | null, reason: InvokeError | null): void {
    const byDestination = Array.from(this.#destinations, ([id, at]) => [id, at.result] as const);
    this.place = "answered";
    this.#cancelTimer();
    this.#ended(this);
    this.answered.resolve({
      record_id: this.recordId,
      run_id: this.runId,
      status,
      kept,
      record: onlyRecord(byDestination.map(([, result]) => result)),
      by_destination: Object.fromEntries(byDestination),
      failures: this.#failures,
      reason,
    });
  }

  #outcome(): Invoked["status"] {
    const all = [...this.#destinations.values()];
    const failed = this.#failures.some(({ dropped }) => !dropped) || all.some((at) => at.failed > 0);
    const out = all.some((at) => at.out > 0);
    if (failed) return out ? "partial" : "failed";
    if (out) return "delivered";
    return this.#absorbed ? "aggregated" : "filtered";
  }
}

/** What a call's record became for one destination, and what came of that. */
export class CallAt implements DeliveryCall {
  out = 0;
  failed = 0;
  begun: boolean;
  readonly #call: Call;
  readonly #records: PipelineRecord[] = [];
  #total = 0;
  /** Put off, to be tried again. */
  #later = 0;
  #error: DestinationResult["error"] = null;

  constructor(call: Call, begun: boolean) {
    this.#call = call;
    this.begun = begun;
  }

  get withdrawn(): boolean {
    return this.#call.withdrawn;
  }

  get perishable(): boolean {
    return this.#call.perishable;
  }

  begin(): void {
    this.begun = true;
  }

  /** Records that are neither confirmed nor given up. */
  get open(): number {
    return this.#total - this.out - this.failed;
  }

  /** One left the steps. */
  sent(record: PipelineRecord): void {
    this.#total++;
    if (this.#records.length < shownRecords) this.#records.push(record);
  }

  confirmed(): void {
    this.out++;
  }

  /** All that did not fail. */
  restConfirmed(): void {
    this.out = this.#total - this.failed - this.#later;
  }

  gaveUp({ code, message, attempts }: Pick<Undelivered, "code" | "message" | "attempts">): void {
    this.failed++;
    this.#error = { code, message, attempts: attempts.length };
  }

  putOff({ code, message, attempts }: Pick<Undelivered, "code" | "message" | "attempts">): void {
    this.#later++;
    this.#error = { code, message, attempts: attempts.length };
  }

  /** One that was put off is tried now. */
  taken(): void {
    this.#later--;
  }

  get result(): DestinationResult {
    const { out, failed, open } = this;
    const waits = this.withdrawn ? (this.begun ? "unknown" : "dropped") : "pending";
    const status: DestinationStatus = open > 0 ? waits : failed > 0 ? "failed" : "delivered";
    const records = this.#records.map(({ value }) => value);
    return { status, out, failed, records, error: status === "delivered" ? null : this.#error };
  }
}

/** The one record that every destination gets; null where it is none, or not the same. */
function onlyRecord(sent: readonly { readonly records: readonly Json[] }[]): Json {
  const [first, ...others] = sent;
  const [record] = first?.records ?? [];
  if (record === undefined || first?.records.length !== 1) return null;
  const text = others.length > 0 ? JSON.stringify(record) : "";
  const same = others.every(({ records }) => records.length === 1 && JSON.stringify(records[0]) === text);
  return same ? record : null;
}
