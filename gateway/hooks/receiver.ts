import type { Correlation } from "../../connectors/sdk/index.ts";
import { type HookScheme, resolveIntegration } from "../../runtime/config/index.ts";
import { messageOf, RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import { Outcome } from "../../runtime/hooks/index.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import type { Owners } from "../../runtime/ports/owners.ts";
import type { IntegrationRow, Store } from "../../runtime/ports/store.ts";
import { inSpan, type Metrics, noTracing, type Tracing } from "../../runtime/ports/telemetry.ts";
import { gathered } from "../auth/index.ts";
import { type Challenge, challengeIn } from "./challenges.ts";
import { Inbox } from "./inbox.ts";
import { metaHeaders } from "./meta.ts";
import { type HookRequest, isSame, refused, type Verifier } from "./proof.ts";
import { receivedRecords } from "./received.ts";
import { createVerifier } from "./schemes.ts";

export interface HookReceiverOptions {
  readonly store: Pick<Store, "integrations">;
  readonly owners: Pick<Owners, "ask" | "maxBytes">;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "hook">;
  /** Left out: nothing is exported. */
  readonly tracing?: Tracing;
  /** The secrets of a trigger, as they stand in the store, in plain text. */
  readonly secretsOf: (integrationId: string, secrets: readonly string[]) => Promise<readonly string[]>;
}

/** What becomes of a request: `accepted` once its records are in the log. */
export type Receipt = "accepted" | "duplicate" | Challenge;

/** An integration that takes hooks, as it was looked up. */
interface Known {
  readonly row: Pick<IntegrationRow, "id" | "name" | "owner" | "enabled">;
  readonly scheme: HookScheme;
  readonly verifyToken: string | undefined;
  readonly verify: Verifier;
  readonly inbox: Inbox;
  /** When it was looked up. */
  readonly at: number;
}

interface Looked {
  /** Null: there is no such integration, or it takes no hooks. */
  readonly known: Promise<Known | null>;
  /** When it was asked for. */
  readonly at: number;
}

/** A change is told by a message, which may be lost; a secret outside changes without one. */
const freshMs = 5_000;
const againMs = 1_000;
/** While a look-up fails, what was found before serves for so long: a secret that is gone must not stay valid. */
const staleMs = 5 * 60_000;

/** Takes what is sent to integrations, on whichever node it comes to. */
export class HookReceiver {
  readonly #options: HookReceiverOptions;
  /** What is not there is not kept: anybody may ask for any name. */
  readonly #looked = new Map<string, Looked>();
  readonly #inboxes = new Map<string, Inbox>();

  readonly #amongMany: (name: string) => Promise<string | null>;

  constructor(options: HookReceiverOptions) {
    this.#options = options;
    const { integrations } = options.store;
    this.#amongMany = gathered(
      async (names) => new Map((await integrations.existing(names)).map((name) => [name, name])),
    );
  }

  /** Integrations may have changed. */
  changed(): void {
    this.#looked.clear();
  }

  /**
   * `integration`: id or name. Throws NOT_FOUND, UNAUTHORIZED, VALIDATION_ERROR, or RetryLaterError where nothing was kept
   * as far as is known: the integration is disabled, its owner is away or its log takes no more.
   */
  async receive(integration: string, request: HookRequest, correlation: Correlation): Promise<Receipt> {
    const known = await this.#find(integration);
    const { metrics, tracing = noTracing } = this.#options;
    const { name } = known.row;
    const span = tracing.start("receive", { "sluice.integration": name }, { parent: correlation.traceparent });
    try {
      const receipt = await this.#take(known, request, inSpan(correlation, span));
      metrics.hook(name, typeof receipt === "string" ? receipt : "challenge");
      span.end();
      return receipt;
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : "INTERNAL_ERROR";
      // Whoever may send such requests by the thousand must not have each of them exported, as failures are.
      span.end(code === "UNAUTHORIZED" || code === "VALIDATION_ERROR" ? undefined : error);
      metrics.hook(name, code === "UNAUTHORIZED" ? "refused" : code === "VALIDATION_ERROR" ? "invalid" : "unavailable");
      throw error;
    }
  }

  /** Meta asks before it sends anything: whether it is the right one, by the token that both were given. */
  async confirm(integration: string, token: string): Promise<void> {
    const { verifyToken } = await this.#find(integration);
    if (verifyToken === undefined || !isSame(Buffer.from(token), Buffer.from(verifyToken)))
      throw refused("The verify token is not valid");
  }

  /**
   * Throws NOT_FOUND where the integration takes no hooks. `isFlood`: most of those who ask so ask for what is not there,
   * and may wait a moment, so that the store is asked for all of them at once.
   */
  async exists(integration: string, isFlood: boolean): Promise<void> {
    await this.#find(integration, isFlood);
  }

  async #take(known: Known, request: HookRequest, given: Correlation): Promise<Receipt> {
    const { row, scheme, verify } = known;
    const proof = verify(request, Date.now());
    if (!row.enabled) throw new RetryLaterError("the integration is disabled", 60_000);
    const challenge = challengeIn(scheme, request);
    if (challenge !== undefined) return challenge;
    const received = receivedRecords(request, proof);
    if (received.length === 0) return "accepted";
    const headers = metaHeaders(request.headers);
    const correlation: Correlation = { ...given, ...(row.owner !== null && { owner: row.owner }) };
    return new Promise((resolve, reject) => {
      let left = received.length;
      let stored = 0;
      let failed: unknown;
      const records = received.map(({ text, id }) => ({ text, id, headers, correlation }));
      known.inbox.add(records, (outcome) => {
        if (typeof outcome !== "number") failed ??= unavailable(outcome);
        else if (outcome === Outcome.refused)
          failed ??= new RetryLaterError("it could not be kept; send it again", againMs);
        else if (outcome === Outcome.stored) stored++;
        if (--left > 0) return;
        // What of it is kept already is known again by its id.
        if (failed !== undefined) reject(failed);
        else resolve(stored > 0 ? "accepted" : "duplicate");
      });
    });
  }

  async #find(integration: string, isFlood = false): Promise<Known> {
    if (!isName.test(integration)) throw notThere();
    const now = Date.now();
    let looked = this.#looked.get(integration);
    if (looked === undefined || now - looked.at > freshMs) {
      const before = looked?.known;
      const known = this.#look(integration, isFlood).catch(async (error: unknown) => {
        // The store, or a Vault, is away: what was true a moment ago goes on, and is asked again.
        this.#options.logger.warn({ err: error, integration }, "a hook's integration cannot be looked up");
        const last = await before;
        if (last && Date.now() - last.at <= staleMs) return last;
        this.#looked.delete(integration);
        throw new RetryLaterError("the integration cannot be looked up at this moment", againMs);
      });
      known.catch(() => {});
      looked = { known, at: now };
      this.#looked.set(integration, looked);
    }
    const known = await looked.known;
    if (known !== null) return known;
    if (this.#looked.get(integration) === looked) this.#looked.delete(integration);
    throw notThere();
  }

  async #look(integration: string, isFlood: boolean): Promise<Known | null> {
    const { store, secretsOf, owners } = this.#options;
    const { integrations } = store;
    const at = Date.now();
    if (isFlood && (await this.#amongMany(integration)) === null) return null;
    const row =
      (isId.test(integration) ? await integrations.get(integration) : null) ?? (await integrations.byName(integration));
    if (row === null) return null;
    const { trigger } = resolveIntegration(row.spec);
    if (trigger.type !== "webhook") return null;
    const { auth } = trigger;
    const { length } = auth.secrets;
    const given = auth.verifyToken === undefined ? auth.secrets : [...auth.secrets, auth.verifyToken];
    const opened = await secretsOf(row.id, given);
    const secrets = opened.slice(0, length);
    const verifyToken = opened[length];
    if (verifyToken?.trim() === "") throw new SluiceError("VALIDATION_ERROR", "trigger.auth.verify_token is empty");
    const verify = createVerifier({ ...auth, secrets });
    for (const [id, inbox] of this.#inboxes) if (inbox.isEmpty) this.#inboxes.delete(id);
    const inbox = this.#inboxes.get(row.id) ?? new Inbox(row.id, owners);
    this.#inboxes.set(row.id, inbox);
    const { id, name, owner, enabled } = row;
    return { row: { id, name, owner, enabled }, scheme: auth.scheme, verifyToken, verify, inbox, at };
  }
}

const isName = /^[a-z0-9][a-z0-9-]{0,62}$/;
const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function notThere(): SluiceError {
  return new SluiceError("NOT_FOUND", "there is no integration of that name that takes webhooks");
}

/** Whoever sends takes any 503 for "again"; whether it was kept, its id tells when it comes again. */
function unavailable(error: SluiceError): unknown {
  if (error instanceof RetryLaterError || error.code === "INTERNAL_ERROR") return error;
  return new RetryLaterError(messageOf(error), againMs);
}
