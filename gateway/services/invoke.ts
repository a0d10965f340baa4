import { randomUUIDv7 } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Correlation, ErrorCode, Json } from "../../connectors/sdk/index.ts";
import { parseDuration } from "../../runtime/config/index.ts";
import { codes, NobodyError, RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import { encodeInvocation, type Invoked, invokeAsked, type OnTimeout } from "../../runtime/ports/invoke.ts";
import type { Owners } from "../../runtime/ports/owners.ts";
import type { IntegrationRow, Store } from "../../runtime/ports/store.ts";
import { inSpan, noTracing, type Tracing } from "../../runtime/ports/telemetry.ts";
import { correlationOf, describeType, isObject, parseJson } from "../../runtime/record/index.ts";
import { found, refuse } from "./context.ts";
import type { Runner } from "./ports.ts";

export interface InvokeOptions {
  readonly onTimeout: OnTimeout;
  /** As a duration. */
  readonly timeout: string;
  /** Calls back where whoever asked goes away before there is an answer. */
  readonly onGone?: ((listener: () => void) => void) | undefined;
}

const mostMs = 60_000;
/** An owner answers in time by itself: past this it has died. */
const graceMs = 2_000;
/** An owner that has just died, or a new integration, is waited for: another node takes it over meanwhile. */
const ownerless = { forMs: 5_000, lookMs: 50 };
/** How long it is taken for granted what an integration is: a change by another node may not have been heard of. */
const trustMs = 1_000;
const trustedMax = 10_000;

interface Asking extends Pick<InvokeOptions, "onTimeout" | "onGone"> {
  readonly version: number;
  readonly correlation: Correlation | null;
  readonly timeoutMs: number;
}

type Target = Pick<IntegrationRow, "id" | "name" | "enabled" | "version">;

/** A record that did not get through: its problem document says what became of it. */
export class NotThroughError extends SluiceError {
  readonly status: number;
  /** What the problem has besides its own. */
  readonly members: Readonly<Record<string, Json>>;

  constructor(
    code: ErrorCode,
    status: number,
    message: string,
    errors: SluiceError["errors"],
    members: Readonly<Record<string, Json>>,
  ) {
    super(code, message, errors);
    this.status = status;
    this.members = members;
  }

  /** It may be sent again without being delivered twice. */
  get didNothing(): boolean {
    return this.members.kept === false;
  }
}

/** Asks the owners of integrations to take records through, for all who ask. */
export class Invoker {
  readonly #owners: Pick<Owners, "ask" | "maxBytes">;
  readonly #tracing: Tracing;
  readonly #trusted = new Map<string, Target & { readonly until: number }>();

  constructor(
    owners: Pick<Owners, "ask" | "maxBytes">,
    runner: Pick<Runner, "onChanged">,
    tracing: Tracing = noTracing,
  ) {
    this.#owners = owners;
    this.#tracing = tracing;
    runner.onChanged(() => this.#trusted.clear());
  }

  /**
   * Takes a record through an integration, and resolves with what became of it where it is through, or in part. Throws
   * NotThroughError where it failed or was not through in time; RetryLaterError where nothing was done.
   */
  async invoke(
    { store, caller }: { readonly store: Store; readonly caller: Caller | null },
    id: string,
    body: Json,
    { onTimeout, timeout, onGone }: InvokeOptions,
  ): Promise<Invoked> {
    const timeoutMs = parseDuration(timeout);
    if (timeoutMs === undefined || timeoutMs < 1 || timeoutMs > mostMs) {
      refuse([{ path: "timeout", message: "must be a duration from 1ms to 60s, such as 5s" }]);
    }
    if (!isObject(body)) {
      refuse([{ path: "", message: `must be a JSON object, the record; found ${describeType(body)}` }]);
    }
    const { name, enabled, version } = await this.#target(store, caller, id);
    if (!enabled) throw new SluiceError("CONFLICT", `${name} is disabled; enable it before invoking it`);
    const span = this.#tracing.start("receive", { "sluice.integration": name }, { parent: caller?.traceparent });
    const correlation = caller && inSpan(correlationOf(caller), span);
    const asking = { version, correlation, onTimeout, timeoutMs: timeoutMs as number, onGone };
    const asked = this.#ask(id, body, asking).catch((error) => withoutIntegration(error, id, store));
    asked.then(
      () => span.end(),
      (error) => span.end(error),
    );
    return asked;
  }

  async #ask(id: string, body: Json, { version, correlation, onTimeout, timeoutMs, onGone }: Asking): Promise<Invoked> {
    const call = randomUUIDv7();
    const about = { id: call, onTimeout, integrationVersion: version, correlation };
    const record = JSON.stringify(body);
    if (onTimeout === "drop") onGone?.(() => this.#withdraw(id, call));
    const endsAt = performance.now() + timeoutMs;
    const givenUpAt = Math.min(endsAt, performance.now() + ownerless.forMs);
    for (;;) {
      const leftMs = Math.ceil(endsAt - performance.now());
      const request = encodeInvocation({ ...about, record, timeoutMs: Math.max(1, leftMs) });
      if (request.length > this.#owners.maxBytes) {
        throw Object.assign(new Error("the record is too large"), { statusCode: 413 });
      }
      try {
        const answer = await this.#owners.ask(id, invokeAsked.invoke, request, { timeoutMs: leftMs + graceMs });
        return throughOrThrow(parseJson(Buffer.from(answer).toString()) as unknown as Invoked);
      } catch (error) {
        if (!(error instanceof NobodyError) || performance.now() + ownerless.lookMs > givenUpAt) throw inDoubt(error);
        await sleep(ownerless.lookMs);
      }
    }
  }

  #withdraw(id: string, call: string): void {
    // Its time is limited all the same.
    this.#owners.ask(id, invokeAsked.withdraw, Buffer.from(call), { timeoutMs: graceMs }).catch(() => {});
  }

  async #target(store: Store, caller: Caller | null, id: string): Promise<Target> {
    const key = `${id} ${caller?.owner ?? ""}`;
    const known = this.#trusted.get(key);
    if (known && known.until > performance.now()) return known;
    const row = found(await store.integrations.get(id), "integration", id);
    const { name, enabled, version } = row;
    if (this.#trusted.size >= trustedMax) this.#trusted.clear();
    this.#trusted.set(key, { id, name, enabled, version, until: performance.now() + trustMs });
    return row;
  }
}

/** The owner died, is cut off, or failed while it had the record: what it throws itself as nothing done stays that. */
function inDoubt(error: unknown): unknown {
  if (error instanceof NotThroughError) return error;
  if (!(error instanceof SluiceError) || error.code === "INTERNAL_ERROR") {
    const message = "something went wrong inside the server; whether the record is delivered is not known";
    const doubt = new NotThroughError("INTERNAL_ERROR", 500, message, [], { kept: null });
    doubt.cause = error;
    return doubt;
  }
  return error.code === "TIMEOUT" ? new NotThroughError("TIMEOUT", 504, error.message, [], { kept: null }) : error;
}

/** What was on its way when the integration was removed went with its log: nobody delivers it any more. */
async function withoutIntegration(error: unknown, id: string, store: Store): Promise<never> {
  const isKept = error instanceof NotThroughError && error.status === 503 && error.members.kept === true;
  if (!isKept || (await store.integrations.get(id)) !== null) throw error;
  const message = "the integration was removed while the record was on its way; whether it is delivered is not known";
  throw new NotThroughError("UNAVAILABLE", 503, message, [], { ...error.members, kept: null });
}

function throughOrThrow(invoked: Invoked): Invoked {
  const { status, reason, kept, failures, by_destination, record_id, run_id } = invoked;
  const members = { kept, record_id, run_id, by_destination: by_destination as unknown as Json };
  if (status === "unfinished") {
    const { code, message } = reason ?? { code: "TIMEOUT", message: "it was not through in time" };
    const detail = `${message}; ${promiseOf(invoked)}`;
    if (code === "TIMEOUT") throw new NotThroughError("TIMEOUT", 504, detail, [], members);
    if (kept === false && record_id === null) throw new RetryLaterError(detail, 1_000);
    throw new NotThroughError("UNAVAILABLE", 503, detail, [], members);
  }
  if (status !== "failed") return invoked;
  const failure = failures.find(({ dropped }) => !dropped);
  if (failure) {
    const { step, rule, code, message, errors } = failure;
    const at = { ...members, step, rule, destination: null };
    const [as, http] = answerTo(code, true);
    throw new NotThroughError(as, http, step === null ? message : `step ${step}: ${message}`, errors, at);
  }
  const [destination, result] = Object.entries(by_destination).find(([, { failed }]) => failed > 0) ?? ["", undefined];
  const { code, message } = result?.error ?? { code: "INTERNAL_ERROR" as const, message: "it failed" };
  const at = { ...members, step: null, rule: null, destination };
  const [as, http] = answerTo(code, false);
  throw new NotThroughError(as, http, `destination ${destination}: ${message}`, [], at);
}

function promiseOf({ kept, record_id, by_destination }: Invoked): string {
  if (kept === true) return `the record is kept and goes on being delivered (record ${record_id})`;
  if (kept === false) return "nothing of the record is written";
  const standing = Object.entries(by_destination).map(([destination, { status }]) => `${destination}: ${status}`);
  return standing.length > 0
    ? `nothing more of it is written; so far ${standing.join(", ")}`
    : "whether the record is delivered is not known";
}

/** A failure on the way as an answer to the request: that a far side refuses sluice, or is away, is not the caller's fault. */
function answerTo(code: ErrorCode, isStep: boolean): [ErrorCode, status: number] {
  if (code === "VALIDATION_ERROR") return [code, codes[code].http];
  if (code === "NOT_FOUND" || code === "CONFLICT" || code === "BUSINESS_RULE") return ["BUSINESS_RULE", 422];
  if (code === "INTERNAL_ERROR" && isStep) return ["INTERNAL_ERROR", 500];
  return ["UNAVAILABLE", 502];
}
