import type { JobStatus } from "../../runtime/ports/replays.ts";
import {
  correctionBody,
  deadLetterPreviewBody,
  dryRunBody,
  filterFields,
  replayAllBody,
  replayBody,
} from "../services/index.ts";
import {
  deadLetterDetailResource,
  deadLetterGroupResource,
  deadLetterResource,
  jobResource,
  listResource,
} from "../services/resources.ts";
import { flag, id, ok, page, paging, sort, sortBy, text } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route } from "./route.ts";

const begun = {
  status: 202,
  description: "The job, under way.",
  schema: schemas.job,
  location: "/v1/jobs",
} as const;

const changeJob = (change: "pause" | "resume" | "cancel", summary: string): Route => ({
  method: "POST",
  path: `/v1/jobs/{id}/${change}`,
  operationId: `${change}Job`,
  scopes: ["dead-letters:write"],
  tag: "jobs",
  summary,
  answer: ok("The job.", schemas.job),
  problems: [409],
  handle: async (request, { deadLetters }) => jobResource(await deadLetters[change](id(request))),
});

/** Dead letters and the jobs that replay them. */
export const deadLetterRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/integrations/{id}/dead-letter",
    operationId: "listDeadLetters",
    scopes: ["dead-letters:read"],
    tag: "dead letters",
    summary: "Records that could not be delivered, newest first, without their payloads.",
    query: {
      ...paging,
      resolved: { type: "boolean", description: "Only those that are, or are not, resolved." },
      ...filterFields,
      sort: {
        enum: ["-last_attempted_at", "last_attempted_at"],
        description: "By which field, - for downwards; left out: the newest first.",
      },
    },
    answer: ok("A page.", schemas.listOf(schemas.deadLetter)),
    handle: async (request, { deadLetters }) => {
      const { limit, cursor, resolved, sort = null, ...fields } = request.query;
      const order = sort as "-last_attempted_at" | "last_attempted_at" | null;
      const options = { ...page(request), resolved: flag(request, "resolved"), sort: order, fields };
      return listResource(await deadLetters.list(id(request), options), deadLetterResource);
    },
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/dead-letter/groups",
    operationId: "listDeadLetterGroups",
    scopes: ["dead-letters:read"],
    tag: "dead letters",
    summary: "Dead letters that failed alike, as one row each, the most frequent first.",
    query: {
      ...paging,
      resolved: { type: "boolean", default: false, description: "Those that are, or are not, resolved." },
      ...filterFields,
    },
    answer: ok("A page.", schemas.listOf(schemas.deadLetterGroup)),
    handle: async (request, { deadLetters }) => {
      const { limit, cursor, resolved, ...fields } = request.query;
      const options = { ...page(request), resolved: flag(request, "resolved") ?? false, fields };
      return listResource(await deadLetters.groups(id(request), options), deadLetterGroupResource);
    },
  },
  {
    method: "GET",
    path: "/v1/dead-letter/{id}",
    operationId: "getDeadLetter",
    scopes: ["dead-letters:read"],
    versioned: true,
    tag: "dead letters",
    summary: "One dead letter, whole.",
    answer: ok("The dead letter.", schemas.deadLetterDetail),
    handle: async (request, { deadLetters }) => deadLetterDetailResource(await deadLetters.get(id(request))),
  },
  {
    method: "PATCH",
    path: "/v1/dead-letter/{id}",
    operationId: "changeDeadLetter",
    scopes: ["dead-letters:write"],
    versioned: true,
    tag: "dead letters",
    summary: "Corrects the payload for a replay, or discards the dead letter with a reason.",
    body: correctionBody,
    answer: ok("The dead letter.", schemas.deadLetterDetail),
    problems: [409],
    handle: async (request, { deadLetters }) =>
      deadLetterDetailResource(
        await deadLetters.change(id(request), request.body, request.caller.name, request.ifMatch),
      ),
  },
  {
    method: "POST",
    path: "/v1/dead-letter/{id}/preview",
    operationId: "previewDeadLetter",
    scopes: ["dead-letters:write"],
    tag: "dead letters",
    summary: "Takes it, or a draft of its correction, through the steps of the current version, and writes nothing.",
    body: deadLetterPreviewBody,
    bodyOptional: true,
    answer: ok("What each step took and gave, and what destinations would receive.", schemas.preview),
    problems: [422],
    handle: async (request, { previewDeadLetter }) => previewDeadLetter(id(request), request.body),
  },
  {
    method: "POST",
    path: "/v1/dead-letter/{id}/replay",
    operationId: "replayDeadLetter",
    scopes: ["dead-letters:write"],
    tag: "dead letters",
    summary: "Replays one dead letter, as a job.",
    body: replayBody,
    bodyOptional: true,
    answer: begun,
    problems: [409],
    handle: async (request, { deadLetters }) =>
      jobResource(await deadLetters.replay(id(request), request.body, request.caller.name)),
  },
  {
    method: "POST",
    path: "/v1/integrations/{id}/dead-letter/replay-all",
    operationId: "replayDeadLetters",
    scopes: ["dead-letters:write"],
    tag: "dead letters",
    summary: "Replays the unresolved dead letters of an integration, or some of them, as a job.",
    body: replayAllBody,
    bodyOptional: true,
    answer: begun,
    problems: [409],
    handle: async (request, { deadLetters }) =>
      jobResource(await deadLetters.replayAll(id(request), request.body, request.caller.name)),
  },
  {
    method: "POST",
    path: "/v1/integrations/{id}/dead-letter/dry-run",
    operationId: "dryRunDeadLetters",
    scopes: ["dead-letters:write"],
    tag: "dead letters",
    summary:
      "Says how many of them the steps of the current version, or of theirs, would let pass; nothing is written.",
    body: dryRunBody,
    bodyOptional: true,
    answer: ok("The counts, and what fails.", schemas.dryRun),
    problems: [422],
    handle: async (request, { dryRun }) => dryRun(id(request), request.body),
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/jobs",
    operationId: "listJobs",
    scopes: ["dead-letters:read"],
    tag: "jobs",
    summary: "Jobs of an integration, newest first.",
    query: {
      ...paging,
      status: { ...schemas.jobStatus, description: "Only jobs of this status." },
      ...sortBy("-created_at", "created_at"),
    },
    answer: ok("A page.", schemas.listOf(schemas.job)),
    handle: async (request, { deadLetters }) => {
      const status = text(request, "status") as JobStatus | null;
      const options = { ...page(request), status, sort: sort<"-created_at">(request) };
      return listResource(await deadLetters.jobs(id(request), options), jobResource);
    },
  },
  {
    method: "GET",
    path: "/v1/jobs/{id}",
    operationId: "getJob",
    scopes: ["dead-letters:read"],
    tag: "jobs",
    summary: "One job.",
    answer: ok("The job.", schemas.job),
    handle: async (request, { deadLetters }) => jobResource(await deadLetters.job(id(request))),
  },
  changeJob("pause", "Lets a job rest once what it has in hand is settled; it keeps its dead letters."),
  changeJob("resume", "Lets a paused job go on."),
  changeJob("cancel", "Ends a job once what it has in hand is settled; the other dead letters are free again."),
];
