import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { parseDuration } from "../config/duration.ts";
import { formatPath } from "../errors/index.ts";
import { compilePredicate } from "../mapping/index.ts";
import type { NewDeadLetter, RunRow } from "../ports/store.ts";
import { isObject, parseJson } from "../record/index.ts";
import { type Difference, differences, distinct, unorderedDifferences } from "./differences.ts";
import type { ExpectedDeadLetter, ExpectedOutput, TestCase } from "./test-case.ts";

/** What came of a test's run. */
export interface Outcome {
  /** As it is at the end of the test. */
  readonly run: RunRow;
  readonly destinations: ReadonlyMap<string, DestinationOutcome>;
  /** In the source's order. */
  readonly deadLetters: readonly NewDeadLetter[];
  /** Messages of the logs: those that were to be acknowledged, and those that were. */
  readonly acks: { readonly due: number; readonly done: number };
  readonly elapsedMs: number;
  /** What must never happen, whatever a test expects. */
  readonly violations: readonly string[];
  /** Paths of faults and answers in the test that never happened. */
  readonly unused: readonly string[];
}

export interface DestinationOutcome {
  readonly records: readonly Json[];
  readonly calls: number;
  /** Each record that was tried, and how often. */
  readonly tries: readonly { readonly record: Json; readonly count: number }[];
}

/** Where the outcome is not as the test expects; nothing where the test passes. */
export function judge({ expect }: TestCase, outcome: Outcome): Difference[] {
  const { run, destinations, deadLetters, acks, elapsedMs } = outcome;
  const found: Difference[] = outcome.violations.map((text) => ({ path: "", found: text }));
  for (const path of outcome.unused) found.push({ path, expected: "to happen", found: "it never happened" });
  const at = (...segments: string[]) => formatPath(["expect", ...segments]);

  for (const [id, expected] of Object.entries(expect.outputs ?? {})) {
    found.push(...outputDifferences(expected, destinations.get(id)?.records ?? [], at("outputs", id)));
  }
  if (expect.dead_letters) found.push(...letterDifferences(expect.dead_letters, deadLetters, at("dead_letters")));
  for (const [id, expected] of Object.entries(expect.attempts ?? {})) {
    const { calls, tries } = destinations.get(id) ?? { calls: 0, tries: [] };
    if (typeof expected === "number") found.push(...differences(expected, calls, at("attempts", id)));
    else
      expected.forEach(({ where, count }, index) => {
        const path = `${at("attempts", id)}[${index}]`;
        const { test } = compilePredicate(where);
        const tried = tries.filter(({ record }) => isObject(record) && test(record));
        if (tried.length === 0 && count > 0) found.push({ path: `${path}.where`, expected: "a record", found: "none" });
        for (const each of tried) found.push(...differences(count, each.count, `${path}.count`));
      });
  }
  if (expect.acks !== undefined) {
    const wanted = expect.acks === "all" ? acks.due : 0;
    if (acks.done !== wanted) {
      found.push({ path: at("acks"), expected: expect.acks, found: `${acks.done} of ${acks.due} batches` });
    }
  }
  const { counts, error, waiting, status } = run;
  const shown: JsonObject = { in: counts.in, out: counts.out, filtered: counts.filtered, failed: counts.failed };
  found.push(...differences(expect.counts as Json | undefined, shown, at("counts"), { partial: true }));
  found.push(...differences(expect.status, status, at("status"), { partial: true }));
  if (expect.error) found.push(...messageDifferences(expect.error, { ...error }, at("error")));
  if (expect.waiting !== undefined && !waiting?.includes(expect.waiting)) {
    found.push({ path: at("waiting"), expected: expect.waiting, found: waiting });
  }
  const { at_least: least, at_most: most } = expect.elapsed ?? {};
  const elapsed = `${elapsedMs}ms`;
  if (least !== undefined && elapsedMs < ms(least)) {
    found.push({ path: at("elapsed", "at_least"), expected: least, found: elapsed });
  }
  if (most !== undefined && elapsedMs > ms(most)) {
    found.push({ path: at("elapsed", "at_most"), expected: most, found: elapsed });
  }
  return found;
}

const ms = (text: string): number => parseDuration(text) as number;

function outputDifferences(expected: readonly Json[] | ExpectedOutput, held: readonly Json[], path: string) {
  const isList = (value: typeof expected): value is readonly Json[] => Array.isArray(value);
  if (isList(expected)) return differences([...expected], [...held], path);
  const { records, order, duplicates, contains, count } = expected;
  const found: Difference[] = [];
  if (records) {
    const [wanted, had] = duplicates ? [distinct(records), distinct(held)] : [[...records], [...held]];
    const compare = order === "any" ? unorderedDifferences : differences;
    found.push(...compare(wanted, had, `${path}.records`));
  }
  contains?.forEach((item, index) => {
    // Where there is none, the one that comes nearest is shown.
    const candidates = held.map((each) => differences(item, each, `${path}.contains[${index}]`, { partial: true }));
    candidates.sort((a, b) => a.length - b.length);
    found.push(...(candidates[0] ?? [{ path: `${path}.contains[${index}]`, expected: item }]));
  });
  return [...found, ...differences(count, held.length, `${path}.count`, { partial: true })];
}

function letterDifferences(expected: readonly ExpectedDeadLetter[], letters: readonly NewDeadLetter[], path: string) {
  const found = letters.map(letterView);
  // A part of the message is expected: where it is there, it counts as the whole.
  const left = [...found];
  const wanted = expected.map((each) => {
    const like = left.findIndex((letter) => messageDifferences(each, letter, "").length === 0);
    return like < 0 ? ({ ...each } as JsonObject) : (left.splice(like, 1)[0] as JsonObject);
  });
  return unorderedDifferences(wanted, found, path, { partial: true }).filter(
    ({ path: at, expected: part, found: whole }) =>
      !(at.endsWith("].message") && typeof whole === "string" && whole.includes(part as string)),
  );
}

/** Of fields that are given, `message` is a part of what was found. */
function messageDifferences(expected: { readonly message?: string }, found: JsonObject, path: string): Difference[] {
  const { message } = found;
  const part = expected.message;
  const isPart = part !== undefined && typeof message === "string" && message.includes(part);
  return differences({ ...expected } as JsonObject, isPart ? { ...found, message: part } : found, path, {
    partial: true,
  });
}

function letterView({ step, destination, rule, code, message, raw, state, attempts }: NewDeadLetter): JsonObject {
  return {
    ...(step !== null && { step }),
    ...(destination !== null && { destination }),
    ...(rule !== null && { rule }),
    code,
    message,
    record: parsed(Buffer.from(raw).toString()),
    ...(state !== null && { state: parsed(state) }),
    attempts: attempts.length,
  };
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
