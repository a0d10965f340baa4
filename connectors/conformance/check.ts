import { AsyncLocalStorage } from "node:async_hooks";
import { isDeepStrictEqual } from "node:util";
import type { HealthClient } from "../../proto/gen/grpc/health/v1/health.ts";
import type { ConnectorServiceClient } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { type Connector, type ConnectorType, clipped } from "../sdk/index.ts";
import { configsOf, type Fixture } from "./fixture.ts";
import { secretMembers, textsAt } from "./schema.ts";

/** Shorter texts would be found anywhere. */
export const leastSecret = 6;

/** A connector type with all that is needed to try it. */
export interface Subject {
  readonly type: ConnectorType;
  readonly fixture: Fixture;
  /** Of the fixture's config. */
  readonly connector: Connector;
  /** Looks at memory for a second and not for six, kills a reading at two positions at most, and cancels fewer readings. */
  readonly quick?: boolean;
  /** The program that serves the type; left out: it lives in this process. */
  readonly plugin?: PluginHandle;
}

/** A plugin under trial. It stays the same through the lives of its process. */
export interface PluginHandle {
  /** The bare protocol, of the process that lives now. */
  client(): ConnectorServiceClient;
  health(): HealthClient;
  /** All that it wrote to stderr, and sent as spans, since the first start. */
  said(): readonly { readonly place: "log" | "span"; readonly text: string }[];
  /** Left out where it runs elsewhere. */
  readonly process?: {
    readonly pid: number;
    /** kill -9, and a new start. */
    kill(): Promise<void>;
    /** Asks it to end, and starts it anew. Gives how it ended, and whether processes that it had started were left. */
    restart(): Promise<{ readonly end: string; readonly seconds: number; readonly leftProcesses: boolean }>;
  };
}

/** What was measured, by name. */
export type Figures = Readonly<Record<string, number>>;

export interface Check {
  /** `read.resume`: what is tried and, of a destination, in which mode: `write.append.kill`. */
  readonly id: string;
  /** A sentence of the contract. */
  readonly title: string;
  /** Left out: every type of its capabilities is tried, also within this process. */
  readonly needs?: "plugin" | "process" | "more of the fixture";
  /** Why it does not apply. */
  skip?(subject: Subject): string | undefined;
  /** Throws where the contract is not kept. */
  run(subject: Subject): Promise<Figures | undefined>;
}

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly figures?: Figures;
  readonly seconds: number;
}

/** The contract was not kept. The message says how, in a sentence. */
export class Flaw extends Error {
  override readonly name = "Flaw";
}

export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Flaw(message);
}

/** Demands that two JSON values are the same. */
export function demandSame(found: unknown, wanted: unknown, what: string): void {
  if (!isDeepStrictEqual(found, wanted)) throw new Flaw(`${what}: ${short(found)}, and should be ${short(wanted)}`);
}

/** The same, member by member of a list, where they would be long. */
export function demandList(found: readonly unknown[], wanted: readonly unknown[], what: string): void {
  const at = wanted.findIndex((each, index) => !isDeepStrictEqual(found[index], each));
  if (at >= 0) {
    const there = at < found.length ? short(found[at]) : "missing";
    throw new Flaw(`${what}: number ${at + 1} of ${wanted.length} is ${there}, and should be ${short(wanted[at])}`);
  }
  if (found.length > wanted.length)
    throw new Flaw(
      `${what}: ${found.length}, and should be ${wanted.length}; the next is ${short(found[wanted.length])}`,
    );
}

/** What a promise was rejected with. */
export async function errorOf(promise: Promise<unknown>, what: string): Promise<Error & { [name: string]: unknown }> {
  const ended = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (ended === undefined) throw new Flaw(`${what} did not fail`);
  return ended.error as Error & { [name: string]: unknown };
}

/** An error as the contract has it: a code, whose fault it is, and one sentence. */
export function demandStated(error: Error & { [name: string]: unknown }, what: string): void {
  const { code, fault, message } = error;
  demand(
    typeof code === "string" && typeof fault === "string",
    `${what} failed without code and fault: ${short(message)}`,
  );
  demand(message !== "" && !message.includes("\n"), `the message of ${what} is not one sentence: ${short(message)}`);
}

export interface RunOptions {
  readonly limitMs: number;
  readonly done?: (result: CheckResult) => void;
  /** Takes out of what goes into the report what the host knows to be secret, besides the config's secrets. */
  readonly redact?: (text: string) => string;
}

/** Tries one check after another. One that hangs fails when `limitMs` have passed. */
export async function runChecks(
  subject: Subject,
  checks: readonly Check[],
  { limitMs, done, redact = (text) => text }: RunOptions,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    const begin = performance.now();
    const outcome = await outcomeOf(check, subject, { limitMs, redact });
    const seconds = Math.round(performance.now() - begin) / 1000;
    const result = { id: check.id, title: check.title, ...outcome, seconds };
    results.push(result);
    done?.(result);
  }
  return results;
}

async function outcomeOf(
  check: Check,
  subject: Subject,
  { limitMs, redact }: Required<Pick<RunOptions, "limitMs" | "redact">>,
) {
  const skipped = reasonToSkip(check, subject);
  if (skipped !== undefined) return { status: "skipped" as const, reason: skipped };
  return untold.run({ secrets: secretsOf(subject), redact }, () => tried(check, subject, limitMs));
}

async function tried(check: Check, subject: Subject, limitMs: number) {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Flaw(`it was not done after ${limitMs / 1000} s`)), limitMs);
    });
    const figures = await Promise.race([check.run(subject), late]);
    return { status: "passed" as const, ...(figures && { figures }) };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    const reason = name === "Flaw" || code === undefined ? message : `${code}: ${message}`;
    return { status: "failed" as const, reason: cut(reason) };
  } finally {
    clearTimeout(timer);
  }
}

function reasonToSkip({ needs, skip }: Check, subject: Subject): string | undefined {
  if (needs === "plugin" && subject.plugin === undefined) return "it is no plugin";
  if (needs === "process" && subject.plugin?.process === undefined)
    return "its process is not ours to end and to look at";
  return skip?.(subject);
}

/** What the subject under trial must not have told: in all forms that it is looked for in, and as the host knows it. */
const untold = new AsyncLocalStorage<{ readonly secrets: readonly string[]; redact(text: string): string }>();

function secretsOf({ type, fixture }: Subject): string[] {
  const members = secretMembers(type.config).filter(({ isSecret }) => isSecret);
  const texts = configsOf(fixture).flatMap((config) => members.flatMap(({ path }) => textsAt(config, path)));
  const forms = texts
    .filter(({ length }) => length >= leastSecret)
    .flatMap((text) => [text, encodeURIComponent(text), Buffer.from(text).toString("base64")]);
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

/** A text for the report. Secrets go first: of one that is cut in its middle the beginning would stay. */
export function cut(text: string, length = Number.POSITIVE_INFINITY): string {
  const { secrets = [], redact = (all: string) => all } = untold.getStore() ?? {};
  const clean = secrets.reduce((each, secret) => each.replaceAll(secret, "***"), redact(text));
  return clipped(clean, length);
}

export function short(value: unknown): string {
  return cut(JSON.stringify(value) ?? String(value), 160);
}
