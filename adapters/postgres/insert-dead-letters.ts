import type { NewDeadLetter, Settlement } from "../../runtime/ports/store.ts";
import { clean, cleanJson } from "./clean.ts";
import type { Database } from "./database.ts";
import { day, dayOf, firstId } from "./days.ts";
import { insertOriginals, type StoredLetter, shareOriginals } from "./originals.ts";
import { enterFailures } from "./replayed.ts";

/** Records' bytes in one statement: as much as the server and this process hold easily. */
const statementBytes = 8 * 1024 * 1024;
const statementRows = 1_000;

/** Inserts what is not there yet: a flush that is repeated after its answer was lost adds nothing. */
export async function insertDeadLetters(
  tx: Database,
  settlements: readonly Pick<Settlement, "deadLetters">[],
): Promise<void> {
  let chunk: StoredLetter[] = [];
  let bytes = 0;
  for (const { deadLetters } of settlements) {
    const { letters, originals } = shareOriginals(await enterFailures(tx, deadLetters.map(ofToday)));
    await insertOriginals(tx, originals);
    for (const letter of letters) {
      const size = letter.raw.byteLength + (letter.state?.length ?? 0);
      if (chunk.length === statementRows || (chunk.length > 0 && bytes + size > statementBytes)) {
        await insertChunk(tx, chunk);
        chunk = [];
        bytes = 0;
      }
      chunk.push(letter);
      bytes += size;
    }
  }
  if (chunk.length > 0) await insertChunk(tx, chunk);
}

/** Days that are kept whatever the retention: none is shorter than a week. */
const surelyKept = 5;

/**
 * What waited long for its last try got its id when it failed first, on a day that may be gone: it is a dead letter from
 * today on. Twice the same where the flush is repeated.
 */
function ofToday(letter: NewDeadLetter): NewDeadLetter {
  const today = Math.floor(Date.now() / day);
  if (dayOf(letter.id) >= today - surelyKept) return letter;
  return { ...letter, id: firstId(today).slice(0, 14) + letter.id.slice(14) };
}

async function insertChunk(tx: Database, letters: readonly StoredLetter[]): Promise<void> {
  const now = new Date().toISOString();
  const rows = letters.map((letter) => toRow(letter, now));
  // One parameter in binary for all bytes, cut up by the server: as text in an array they would be twice as large.
  const bytes = Buffer.concat(letters.map(({ raw }) => raw));
  let end = 1;
  const offsets = letters.map(({ raw }) => {
    const start = end;
    end += raw.byteLength;
    return start;
  });
  await tx.query(
    `insert into sluice.dead_letter_records (${columns.map(([name]) => name).join(", ")}, raw, payload)
     select ${columns.map(([name, type]) => `given.${name}::${type}`).join(", ")}, bytes.raw,
            case when given.raw_of is null then sluice.jsonb_or_null(bytes.raw) end
       from unnest(${columns.map(([, type], index) => `$${index + 4}::${type === "json" ? "text" : type}[]`).join(", ")},
                   $2::int[], $3::int[]) as given (${columns.map(([name]) => name).join(", ")}, start, size),
            lateral (select substring($1::bytea from given.start for given.size) as raw) as bytes
     on conflict (id) do nothing`,
    [
      bytes,
      offsets,
      letters.map(({ raw }) => raw.byteLength),
      ...columns.map((_, index) => rows.map((row) => row[index])),
    ],
  );
}

const columns = [
  ["id", "uuid"],
  ["run_id", "uuid"],
  ["integration_id", "uuid"],
  ["integration_version", "int"],
  ["record_id", "text"],
  ["step", "text"],
  ["destination", "text"],
  ["rule", "int"],
  ["code", "text"],
  ["message", "text"],
  ["state", "text"],
  ["position_base", "text"],
  ["position_ordinal", "bigint"],
  ["attempts", "json"],
  ["errors", "json"],
  ["first_failed_at", "timestamptz"],
  ["last_attempted_at", "timestamptz"],
  ["fingerprint", "text"],
  ["trace_id", "text"],
  ["correlation", "json"],
  ["child", "text"],
  ["source", "text"],
  ["raw_of", "uuid"],
  ["state_of", "uuid"],
] as const;

function toRow(letter: StoredLetter, now: string): readonly unknown[] {
  return [
    letter.id,
    letter.runId,
    letter.integrationId,
    letter.integrationVersion,
    clean(letter.recordId),
    clean(letter.step),
    clean(letter.destination),
    letter.rule,
    letter.code,
    clean(letter.message),
    clean(letter.state),
    clean(letter.position.base),
    letter.position.ordinal,
    cleanJson(letter.attempts),
    cleanJson(letter.errors ?? []),
    letter.attempts[0]?.at ?? now,
    letter.attempts.at(-1)?.at ?? now,
    clean(letter.fingerprint),
    clean(letter.traceId),
    letter.correlation === undefined ? null : cleanJson(letter.correlation),
    clean(letter.child ?? ""),
    clean(letter.source ?? null),
    letter.rawOf,
    letter.stateOf,
  ];
}

/** What is left of a dead letter where Postgres refuses one of its values: its bytes, its error, its place. */
export function reduced(letter: NewDeadLetter): NewDeadLetter {
  const ordinal = letter.position.ordinal;
  return {
    ...letter,
    rule: null,
    state: null,
    position: { base: letter.position.base, ordinal: Number.isSafeInteger(ordinal) ? ordinal : 0 },
    attempts: [],
    errors: [],
  };
}
