import type { ReplayOf } from "../../runtime/ports/replays.ts";
import type { NewDeadLetter, Settlement } from "../../runtime/ports/store.ts";
import { clean, cleanJson } from "./clean.ts";
import type { Database } from "./database.ts";

/*
 * What replays change, committed with what they settled: a flush that is repeated changes nothing more.
 */

type Failure = NewDeadLetter & { readonly replayOf: ReplayOf };

const isReplayed = (letter: NewDeadLetter): letter is Failure => letter.replayOf !== undefined;

/**
 * Enters failures of replays as attempts of the dead letters replayed. Gives back what are dead letters of their own:
 * those of no replay, and a replay's further ones.
 */
export async function enterFailures(
  tx: Database,
  letters: readonly NewDeadLetter[],
): Promise<readonly NewDeadLetter[]> {
  const failures = letters.filter(isReplayed);
  if (failures.length === 0) return letters;
  const now = new Date().toISOString();
  const ids = failures.map(({ replayOf }) => replayOf.deadLetterId).sort();
  const attemptsOf = ({ attempts, code, message }: Failure) =>
    attempts.length > 0 ? attempts : [{ at: now, code, message }];
  const rows = await tx.query<{ id: string }>(
    `with given as (
       select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::int[], $8::text[],
                            $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::text[], $14::text[], $17::text[])
         as given (job, letter, id, run, step, destination, rule, code, message, state, attempts, at, fingerprint, trace, errors)),
     first as (select distinct on (job, letter) * from given order by job, letter, id),
     entered as (
       update sluice.dead_letter_replays as replay set state = 'failed', failure_id = first.id, run_id = first.run
         from first
        where replay.job_id = first.job and replay.dead_letter_id = first.letter and replay.failure_id is null
       returning replay.failure_id as id),
     updated as (
       update sluice.dead_letter_records as letter
          set step = first.step, destination = first.destination, rule = first.rule, code = first.code,
              message = first.message, state = first.state, state_of = null, last_attempted_at = first.at,
              fingerprint = first.fingerprint, trace_id = first.trace, errors = first.errors::json,
              attempts = (left(${history}, -1) || ',' || substr(first.attempts, 2))::json,
              resolved = false, resolution = null, resolved_at = null, resolved_by = null, resolved_run_id = null
         from first join entered on entered.id = first.id
        where letter.id = first.letter and letter.id between $15 and $16)
     select id from given
      where not exists (select 1 from entered where entered.id = given.id)
        and not exists (select 1 from sluice.dead_letter_replays as replay
                         where replay.job_id = given.job and replay.dead_letter_id = given.letter
                           and replay.failure_id = given.id)`,
    [
      failures.map(({ replayOf }) => replayOf.jobId),
      failures.map(({ replayOf }) => replayOf.deadLetterId),
      failures.map(({ id }) => id),
      failures.map(({ runId }) => runId),
      failures.map(({ step }) => clean(step)),
      failures.map(({ destination }) => clean(destination)),
      failures.map(({ rule }) => rule),
      failures.map(({ code }) => code),
      failures.map(({ message }) => clean(message)),
      failures.map(({ state }) => clean(state)),
      failures.map((failure) => cleanJson(attemptsOf(failure))),
      failures.map((failure) => attemptsOf(failure).at(-1)!.at),
      failures.map(({ fingerprint }) => clean(fingerprint)),
      failures.map(({ traceId }) => clean(traceId)),
      ids[0],
      ids.at(-1),
      failures.map(({ errors = [] }) => cleanJson(errors)),
    ],
  );
  const own = new Set(rows.map(({ id }) => id));
  return letters.filter((letter) => !isReplayed(letter) || own.has(letter.id));
}

/** The attempts so far, as text: jsonb refuses some. Of a dead letter without any, the failure itself was one. */
const history = `case when json_array_length(letter.attempts) > 0 then letter.attempts::text else json_build_array(
  json_build_object('code', letter.code, 'message', letter.message, 'at',
    to_char(letter.first_failed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text end`;

/** Resolves the dead letters whose replays were settled without a failure. */
export async function resolveReplayed(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const passed = settlements.flatMap(({ run, replayed = [] }) =>
    replayed.map(({ jobId, deadLetterId }) => ({ jobId, deadLetterId, runId: run?.id ?? null })),
  );
  if (passed.length === 0) return;
  const ids = passed.map(({ deadLetterId }) => deadLetterId).sort();
  // The bounds let the planner leave out all days but those of the dead letters.
  await tx.query(
    `with passed as (
       update sluice.dead_letter_replays as replay set state = 'passed', run_id = given.run
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as given (job, letter, run)
        where replay.job_id = given.job and replay.dead_letter_id = given.letter and replay.state in ('open', 'left')
       returning replay.dead_letter_id as id, replay.run_id as run, replay.job_id as job)
     update sluice.dead_letter_records as letter
        set resolved = true, resolution = 'replayed', resolved_at = now(), resolved_run_id = passed.run,
            resolved_by = (select created_by from sluice.jobs where jobs.id = passed.job)
       from passed where letter.id = passed.id and letter.id between $4 and $5`,
    [
      passed.map(({ jobId }) => jobId),
      passed.map(({ deadLetterId }) => deadLetterId),
      passed.map(({ runId }) => runId),
      ids[0],
      ids.at(-1),
    ],
  );
}
