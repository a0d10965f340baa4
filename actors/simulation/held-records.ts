import type { Destination, DestinationOptions, Json, OutRecord, WriteFailure } from "../../connectors/sdk/index.ts";
import { compilePredicate, getField, parseFieldPath } from "../../runtime/mapping/index.ts";
import { isObject } from "../../runtime/record/index.ts";
import type { DestinationOutcome, TestCase } from "../../runtime/testing/index.ts";
import { CallScript, errorOf, messageOfFault, retryAfter } from "./fault-script.ts";
import type { Life } from "./life.ts";

type Faults = NonNullable<NonNullable<TestCase["faults"]>["destinations"]>[string];

/** A far side in memory: what one destination has been given, over all lives of the node. */
export class HeldRecords {
  readonly #writes: CallScript;
  readonly #refusals;
  readonly #path: string;
  /** In mode upsert by their key. */
  #held = new Map<string, Json>();
  /** In mode replace: written aside until the run's end. */
  #aside: Json[] = [];
  readonly #tries = new Map<string, { readonly record: Json; count: number }>();
  #calls = 0;
  /** Ids of records whose last write was not confirmed. */
  readonly inDoubt = new Set<string>();

  /** `path`: where its faults stand in the test. */
  constructor(path: string, { writes, records = [] }: Faults = {}) {
    this.#path = path;
    this.#writes = new CallScript(`${path}.writes`, writes);
    this.#refusals = records.map(({ where, times = Number.POSITIVE_INFINITY, ...failure }) => {
      return { ...failure, times, test: compilePredicate(where).test, met: new Map<string, number>() };
    });
  }

  get outcome(): DestinationOutcome {
    return { records: [...this.#held.values()], calls: this.#calls, tries: [...this.#tries.values()] };
  }

  get unused(): string[] {
    const refusals = this.#refusals.flatMap(({ met }, i) => (met.size > 0 ? [] : [`${this.#path}.records[${i}]`]));
    return [...this.#writes.unused, ...refusals];
  }

  /** `beforeWrite` goes on when it resolves. */
  open(
    { mode, key, state }: Pick<DestinationOptions, "mode" | "key" | "state">,
    life: Life,
    beforeWrite: () => Promise<void>,
  ): Destination {
    const keys = key.map(parseFieldPath);
    const replace = mode === "replace";
    // As a file does: what was written after the last checkpoint is undone.
    if (replace) this.#aside.length = typeof state === "number" ? Math.min(state, this.#aside.length) : 0;
    const put = (record: Json) => {
      if (replace) this.#aside.push(record);
      else this.#held.set(mode === "upsert" ? keyOf(record, keys) : String(this.#held.size), record);
    };
    return {
      concurrency: 1,
      write: async ({ records }) => {
        await life.delay();
        await beforeWrite();
        this.#calls++;
        for (const record of records) this.#try(record);
        const fault = this.#writes.next();
        const failed = fault ? [] : this.#refused(records);
        const refused = new Set(failed.map(({ index }) => index));
        if (!fault || fault.written) {
          for (const [index, { value }] of records.entries()) if (!refused.has(index)) put(value);
        }
        if (fault) throw errorOf(fault);
        for (const { id } of records) this.inDoubt.delete(id);
        return { failed, ...(replace && { state: this.#aside.length }) };
      },
      complete: async () => {
        await life.delay();
        if (replace) this.#held = new Map(this.#aside.map((record, index) => [String(index), record]));
      },
      close: async () => {},
    };
  }

  #try({ id, value }: OutRecord): void {
    this.inDoubt.add(id);
    const tried = this.#tries.get(id) ?? { record: value, count: 0 };
    tried.count++;
    this.#tries.set(id, tried);
  }

  #refused(records: readonly OutRecord[]): WriteFailure[] {
    return records.flatMap(({ id, value }, index) => {
      const refusal = this.#refusals.find(
        ({ test, met, times }) => isObject(value) && (met.get(id) ?? 0) < times && test(value),
      );
      if (!refusal) return [];
      const { code, message, retry_after, met } = refusal;
      met.set(id, (met.get(id) ?? 0) + 1);
      return [{ index, code, message: messageOfFault(code, message), ...retryAfter(retry_after) }];
    });
  }
}

function keyOf(record: Json, keys: readonly ReturnType<typeof parseFieldPath>[]): string {
  return JSON.stringify(keys.map((path) => getField(record, path) ?? null));
}
