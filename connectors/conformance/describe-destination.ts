import { beforeEach, describe, expect, test } from "vitest";
import type {
  Connector,
  ConnectorType,
  Destination,
  DestinationMode,
  Json,
  JsonObject,
  OutRecord,
  WriteBatch,
} from "../sdk/index.ts";
import type { DestinationFixture, Fixture } from "./fixture.ts";

/** The part of the suite for types that write. */
export function describeDestination<Config>(
  type: ConnectorType<Config>,
  made: () => { connector: Connector; fixture: Fixture },
): void {
  if (!type.capabilities.destination) return;
  const given = (): { connector: Connector; to: DestinationFixture } => {
    const { connector, fixture } = made();
    if (!fixture.destination) throw new Error(`The fixture of ${type.type} has no destination although it writes.`);
    return { connector, to: fixture.destination };
  };

  describe.each(type.capabilities.destination.modes.map((mode) => ({ mode })))(
    "as a destination, mode $mode",
    ({ mode }) => {
      let runs = 0;
      let runId = "";
      const openIt = (state: Json | null = null): Promise<Destination> => {
        const { connector, to } = given();
        const signal = new AbortController().signal;
        return connector.openDestination!({ stream: to.stream, mode, key: to.key ?? [], runId, state, signal });
      };
      const tried = (): DestinationFixture => {
        const { to } = given();
        expect(to.modes).toContain(mode);
        return to;
      };
      beforeEach(async () => {
        runId = `00000000-0000-7000-8000-${String(++runs).padStart(12, "0")}`;
        await given().to.clear();
      });

      test("what was written and completed is there, once", async () => {
        const to = tried();
        const destination = await openIt();
        for (let at = 0; at < to.records.length; at += 2) {
          const result = await destination.write(batchOf(to.records.slice(at, at + 2)));
          expect(result.failed ?? []).toEqual([]);
        }
        await destination.complete();
        await destination.close();
        expect(sorted(await to.stored())).toEqual(sorted(to.records));
      });

      test("complete may be called again after a restart", async () => {
        const to = tried();
        const first = await openIt();
        const { state } = await first.write(batchOf(to.records));
        await first.complete();
        await first.close();
        const second = await openIt(state ?? null);
        await second.complete();
        await second.close();
        expect(sorted(await to.stored())).toEqual(sorted(to.records));
      });

      test("after a crash nothing that was confirmed is lost", async () => {
        const to = tried();
        const half = to.records.length >> 1;
        const first = await openIt();
        const { state } = await first.write(batchOf(to.records.slice(0, half)));
        await first.write(batchOf(to.records.slice(half)));
        await first.close();
        // The checkpoint holds the first write's state only: the second write's records come again.
        const second = await openIt(state ?? null);
        await second.write(batchOf(to.records.slice(half)));
        await second.complete();
        await second.close();
        const stored = sorted(await to.stored());
        if (mode === "upsert" || isExact(to, mode)) expect(stored).toEqual(sorted(to.records));
        else expect(new Set(stored)).toEqual(new Set(sorted(to.records)));
      });

      test("a run without records completes", async () => {
        const to = tried();
        const destination = await openIt();
        await destination.complete();
        await destination.close();
        expect(await to.stored()).toEqual([]);
      });

      test("a record that is refused fails alone", async () => {
        const to = tried();
        const { refused } = to;
        const batch = [to.records[2]!, ...(refused === undefined ? [] : [refused]), to.records[3]!];
        const destination = await openIt();
        await destination.write(batchOf(to.records.slice(0, 2)));
        const { failed = [] } = await destination.write(batchOf(batch));
        expect(failed.map((failure) => failure.index)).toEqual(refused === undefined ? [] : [1]);
        for (const failure of failed) expect(failure.message).not.toBe("");
        await destination.complete();
        await destination.close();
        expect(sorted(await to.stored())).toEqual(sorted(to.records.slice(0, 4)));
      });
    },
  );
}

/** Without a state to go on from, replace begins anew by its nature; append needs the type's word for it. */
function isExact(to: DestinationFixture, mode: DestinationMode): boolean {
  return to.exactlyOnce?.includes(mode) ?? false;
}

function batchOf(records: readonly JsonObject[]): WriteBatch {
  const made = records.map((value): OutRecord => {
    const text = JSON.stringify(value);
    return { value, text, id: text };
  });
  return { records: made, signal: new AbortController().signal };
}

function sorted(records: readonly Json[]): string[] {
  return records.map((record) => JSON.stringify(record, keysInOrder)).sort();
}

/** A far side may hand members back in its own order. */
function keysInOrder(_name: string, value: Json): Json {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
