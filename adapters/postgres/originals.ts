import type { Json } from "../../connectors/sdk/index.ts";
import type { NewDeadLetter } from "../../runtime/ports/store.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { dayOf } from "./days.ts";

/*
 * What many dead letters of one record share is kept once: its original and, where the step that failed had it whole,
 * its state. Ten thousand children of a megabyte are one megabyte.
 */

/** Shorter ones stay with their dead letters: to look them up would cost more. */
const sharedFrom = 1024;

/** Named by the id of the first dead letter that has it: the same again where the commit is repeated. */
interface Original {
  readonly id: string;
  raw?: Uint8Array;
  state?: string;
}

/** A dead letter as its row has it: what is elsewhere is empty here. */
export interface StoredLetter extends NewDeadLetter {
  readonly rawOf: string | null;
  readonly stateOf: string | null;
}

const empty = new Uint8Array();

/** Finds what dead letters that are committed together share. */
export function shareOriginals(letters: readonly NewDeadLetter[]): {
  readonly letters: readonly StoredLetter[];
  readonly originals: readonly Original[];
} {
  const raws = groups(letters, ({ raw }) => raw, sameBytes);
  const states = groups(
    letters,
    ({ state }) => state ?? "",
    (a, b) => a === b,
  );
  const originals = new Map<string, Original>();
  const original = (id: string) => {
    const known = originals.get(id) ?? { id };
    originals.set(id, known);
    return known;
  };
  const stored = letters.map((letter) => {
    const rawOf = raws.get(letter) ?? null;
    const stateOf = states.get(letter) ?? null;
    if (rawOf === letter.id) original(rawOf).raw = letter.raw;
    if (stateOf === letter.id && letter.state !== null) original(stateOf).state = letter.state;
    return {
      ...letter,
      raw: rawOf === null ? letter.raw : empty,
      state: stateOf === null ? letter.state : null,
      rawOf,
      stateOf,
    };
  });
  return { letters: stored, originals: [...originals.values()] };
}

/** Of those whose value others have too, the id of the first that has it. */
function groups<T extends { readonly length: number }>(
  letters: readonly NewDeadLetter[],
  textOf: (letter: NewDeadLetter) => T,
  same: (a: T, b: T) => boolean,
): ReadonlyMap<NewDeadLetter, string> {
  const found = new Map<string, NewDeadLetter[]>();
  for (const letter of letters) {
    const value = textOf(letter);
    if (value.length < sharedFrom) continue;
    // Dropped together: retention drops days.
    const key = `${letter.runId} ${letter.recordId} ${dayOf(letter.id)} ${value.length}`;
    const group = found.get(key);
    if (group === undefined) found.set(key, [letter]);
    else if (same(textOf(group[0] as NewDeadLetter), value)) group.push(letter);
  }
  const shared = new Map<NewDeadLetter, string>();
  for (const group of found.values()) {
    if (group.length > 1) for (const letter of group) shared.set(letter, (group[0] as NewDeadLetter).id);
  }
  return shared;
}

const sameBytes = (a: Uint8Array, b: Uint8Array) => a === b || Buffer.compare(a, b) === 0;

/** One by one: they are few and large. */
export async function insertOriginals(tx: Database, originals: readonly Original[]): Promise<void> {
  for (const { id, raw = null, state = null } of originals) {
    await tx.query(
      `insert into sluice.dead_letter_originals (id, raw, payload, state)
       values ($1, $2, sluice.jsonb_or_null($2), $3)
       on conflict (id) do update set state = coalesce(excluded.state, dead_letter_originals.state)`,
      [id, raw, clean(state)],
    );
  }
}

/** What a row says of where its texts are. */
export interface Shared {
  readonly raw: Uint8Array;
  readonly state: string | null;
  readonly rawOf: string | null;
  readonly stateOf: string | null;
}

/** Rows with their texts, each read once, however many share it. */
export async function withOriginals<R extends Shared>(
  db: Database,
  rows: readonly R[],
): Promise<(Omit<R, "rawOf" | "stateOf"> & { readonly payload?: Json | null })[]> {
  const ids = new Set(rows.flatMap(({ rawOf, stateOf }) => [rawOf, stateOf]).filter((id) => id !== null));
  const found =
    ids.size === 0
      ? []
      : await db.query<{ id: string; raw: Uint8Array | null; payload: Json | null; state: string | null }>(
          "select id, raw, payload, state from sluice.dead_letter_originals where id = any ($1::uuid[])",
          [[...ids]],
        );
  const originals = new Map(found.map((original) => [original.id, original]));
  return rows.map(({ rawOf, stateOf, ...row }) => {
    const shared = rawOf === null ? undefined : originals.get(rawOf);
    return {
      ...row,
      ...(shared && { raw: shared.raw ?? empty, payload: shared.payload }),
      ...(stateOf !== null && { state: originals.get(stateOf)?.state ?? null }),
    };
  });
}
