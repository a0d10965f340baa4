import type { ErrorCode, Json } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import { codes, SluiceError } from "../../runtime/errors/index.ts";
import type {
  DeadLetterFilter,
  DeadLetterGroup,
  JobListOptions,
  JobRow,
  ReplayOptions,
} from "../../runtime/ports/replays.ts";
import type {
  DeadLetterDetail,
  DeadLetterListOptions,
  DeadLetterRow,
  Page,
  PageOptions,
} from "../../runtime/ports/store.ts";
import { found, type IfMatch, matched, newId, refuse, type ServiceContext, timeAt } from "./context.ts";
import { jobsChanged } from "./event-hub.ts";

const string: Part = { type: "string", minLength: 1 };

/** What chooses dead letters, in a query and in a body. */
export const filterFields = {
  code: { enum: Object.keys(codes), description: "Only those of this code." },
  step: { ...string, description: "Only those that this step refused." },
  destination: { ...string, description: "Only those that this destination refused." },
  run_id: { ...string, format: "uuid", description: "Only those of this run." },
  fingerprint: { ...string, description: "Only those that failed alike." },
  record_id: { ...string, description: "Only those of this record." },
  since: { ...string, format: "date-time", description: "Only those tried last at this time or later." },
  until: { ...string, format: "date-time", description: "Only those tried last at this time or earlier." },
} satisfies Record<string, Part>;

const optionFields = {
  from: {
    enum: ["head", "step"],
    description:
      "Where the records enter. Left out: what a step refused at the head, what a destination refused at that destination.",
  },
  version: {
    enum: ["current", "original"],
    default: "current",
    description: "Under which version of the integration.",
  },
  rate: { type: "number", exclusiveMinimum: 0, description: "Records a second; left out: as many as go." },
} satisfies Record<string, Part>;

const closed = (properties: Record<string, Part>): Part => ({
  type: "object",
  additionalProperties: false,
  properties,
});

export const replayBody = closed(optionFields);
export const replayAllBody = closed({ ...filterFields, ...optionFields });
const { rate: _, ...placeFields } = optionFields;
export const dryRunBody = closed({
  ...filterFields,
  ...placeFields,
  dead_letter_id: { ...string, format: "uuid", description: "Only this one." },
});

export const correctionBody: Part = {
  ...closed({
    payload: {
      type: ["object", "null"],
      description: "The record as a replay takes it, kept beside the original; null takes a correction back.",
    },
    resolution: { const: "discarded", description: "It is not wanted any more." },
    reason: { type: "string", minLength: 1, maxLength: 1_000, description: "Why it is discarded." },
  }),
  minProperties: 1,
  dependentRequired: { resolution: ["reason"], reason: ["resolution"] },
  not: { required: ["payload", "resolution"] },
};

type Fields = { readonly [F in keyof typeof filterFields]?: string };

/** Records that could not be delivered: to look at, to correct, to replay. */
export function deadLetterService({ store, runner, validator, cluster }: ServiceContext) {
  const { deadLetters, replays } = store;
  const one = async (id: string): Promise<DeadLetterDetail> => found(await deadLetters.get(id), "dead letter", id);
  const integrationOf = async (id: string) => found(await store.integrations.get(id), "integration", id);

  async function inHand(letter: DeadLetterRow): Promise<never> {
    const why = letter.resolved ? `is ${letter.resolution}` : "is being replayed";
    throw new SluiceError("CONFLICT", `the dead letter ${letter.id} ${why}`);
  }

  /** A job with its first run. */
  async function begin(
    integrationId: string,
    options: ReplayOptions,
    filter: DeadLetterFilter,
    actor: string,
  ): Promise<JobRow | null> {
    const { version, enabled, name } = await integrationOf(integrationId);
    if (!enabled) throw new SluiceError("CONFLICT", `${name} is disabled; enable it before replaying`);
    const ids = { id: newId(), runId: newId() };
    const job = await replays.open({ ...ids, integrationId, integrationVersion: version, options, filter, actor });
    runner.changed([integrationId]);
    cluster.publish(jobsChanged, ids.id);
    return job;
  }

  async function goOn({ id, integrationId }: JobRow): Promise<JobRow> {
    await replays.next(id, newId());
    runner.changed([integrationId]);
    return job(id);
  }

  const job = async (id: string): Promise<JobRow> => found(await replays.get(id), "job", id);

  async function move(id: string, from: "running" | "paused", to: "running" | "paused" | "cancelled"): Promise<JobRow> {
    const { status } = await job(id);
    if (!(await replays.move(id, to === "cancelled" ? ["running", "paused"] : [from], to))) {
      throw new SluiceError("CONFLICT", `the job is ${status}`);
    }
    cluster.publish(jobsChanged, id);
    return job(id);
  }

  return {
    get: one,

    async list(
      integrationId: string,
      { fields, ...options }: Omit<DeadLetterListOptions, "filter"> & { fields: Fields },
    ): Promise<Page<DeadLetterRow>> {
      await integrationOf(integrationId);
      return deadLetters.list(integrationId, { ...options, filter: filterOf(fields) });
    },

    async groups(
      integrationId: string,
      { fields, ...options }: PageOptions & { resolved: boolean; fields: Fields },
    ): Promise<Page<DeadLetterGroup>> {
      await integrationOf(integrationId);
      return deadLetters.groups(integrationId, { ...options, filter: filterOf(fields) });
    },

    /** All of a run, by what they failed with, whatever became of them. */
    async errorsOf(runId: string, options: PageOptions): Promise<Page<DeadLetterGroup>> {
      found(await store.runs.get(runId), "run", runId);
      return deadLetters.errorsOf(runId, options);
    },

    async change(id: string, body: Json, actor: string, ifMatch: IfMatch): Promise<DeadLetterDetail> {
      refuse(validator.compile(correctionBody)(body));
      const letter = matched(await one(id), ifMatch);
      const { payload, reason } = body as { payload?: Json; reason?: string };
      const done =
        reason === undefined
          ? await deadLetters.correct(id, payload ?? null, actor, ifMatch)
          : await deadLetters.discard(id, reason, actor, ifMatch);
      if (done) return one(id);
      return inHand(letter.resolved ? letter : matched(await one(id), ifMatch));
    },

    async replay(id: string, body: Json, actor: string): Promise<JobRow> {
      refuse(validator.compile(replayBody)(body ?? {}));
      const letter = await one(id);
      return (await begin(letter.integrationId, optionsOf(body), { ids: [id] }, actor)) ?? inHand(await one(id));
    },

    async replayAll(integrationId: string, body: Json, actor: string): Promise<JobRow> {
      refuse(validator.compile(replayAllBody)(body ?? {}));
      return (await begin(integrationId, optionsOf(body), filterOf((body ?? {}) as Fields), actor))!;
    },

    job,
    async jobs(integrationId: string, options: JobListOptions): Promise<Page<JobRow>> {
      await integrationOf(integrationId);
      return replays.list(integrationId, options);
    },
    pause: (id: string) => move(id, "running", "paused"),
    resume: async (id: string) => goOn(await move(id, "paused", "running")),
    /** Its run notices by itself, and ends once what it has in hand is settled; where none is running, it ends here. */
    async cancel(id: string): Promise<JobRow> {
      const { integrationId } = await move(id, "running", "cancelled");
      const running = await store.runs.running(integrationId);
      if (!running.some(({ jobId }) => jobId === id)) await replays.next(id, newId());
      return job(id);
    },
  };
}

function optionsOf(body: Json): ReplayOptions {
  const { from = null, version = "current", rate = null } = (body ?? {}) as Partial<ReplayOptions>;
  return { from, version, rate };
}

export function filterOf({
  code,
  step,
  destination,
  run_id,
  fingerprint,
  record_id,
  since,
  until,
}: Fields): DeadLetterFilter {
  return {
    code: code as ErrorCode | undefined,
    step,
    destination,
    runId: run_id,
    fingerprint,
    recordId: record_id,
    since: since === undefined ? undefined : timeAt("since", since),
    until: until === undefined ? undefined : timeAt("until", until),
  };
}
