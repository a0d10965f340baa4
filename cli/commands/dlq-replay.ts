import { setTimeout as sleep } from "node:timers/promises";
import { parseArguments, type Syntax } from "../arguments.ts";
import { byName, type Client, createClient, type List } from "../client.ts";
import { exitCode, usageError } from "../exit.ts";
import { note, print, printJson, printTable, shortTime } from "../output.ts";
import { filterGiven, filterOptions } from "./dlq-filter.ts";

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly passed: number;
    readonly failed: number;
  };
  readonly error: { readonly message: string } | null;
  readonly created_at: string;
}

interface DryRun {
  readonly version: number;
  readonly total: number;
  readonly checked: number;
  readonly passed: number;
  readonly failed: number;
  readonly untried: number;
  readonly failures: readonly {
    readonly code: string;
    readonly message: string;
    readonly step: string | null;
    readonly count: number;
    readonly example: string;
  }[];
}

const json = { type: "boolean", help: "Print as JSON." } as const;
const pollMs = 200;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const replaySyntax: Syntax = {
  usage: "sluice dlq replay ID|NAME [--dry-run] [--from head|step] [--original] [--rate N] [--detach] [--json]",
  summary: "Replays one dead letter, or those of an integration, and waits for the end.",
  options: {
    "dry-run": { type: "boolean", help: "Only say how many the steps would let pass." },
    ...filterOptions,
    from: { type: "string", value: "PLACE", help: "Where records enter: head, or step for where they failed." },
    original: { type: "boolean", help: "Under the version that they failed in, not the current one." },
    rate: { type: "string", value: "N", help: "Records a second (default: as many as go)." },
    detach: { type: "boolean", help: "Do not wait; the job goes on." },
    json,
  },
  positionals: [1, 1],
};

export const jobsSyntax: Syntax = {
  usage: "sluice dlq jobs NAME [--json]",
  summary: "Lists the jobs that replay dead letters of an integration.",
  options: { json },
  positionals: [1, 1],
};

const jobSyntax = (change: string, summary: string): Syntax => ({
  usage: `sluice dlq ${change} JOB [--json]`,
  summary,
  options: { json },
  positionals: [1, 1],
});
export const pauseSyntax = jobSyntax("pause", "Lets a job rest; it keeps its dead letters.");
export const resumeSyntax = jobSyntax("resume", "Lets a paused job go on.");
export const cancelSyntax = jobSyntax("cancel", "Ends a job; what it has not replayed is free again.");

export async function replay(argv: readonly string[]): Promise<number> {
  const args = parseArguments(replaySyntax, argv);
  if (args === null) return exitCode.done;
  const client = createClient();
  const given = args.positionals[0]!;
  const filter = filterGiven(args);
  const how = {
    ...(args.string("from") !== undefined && { from: args.string("from") }),
    ...(args.flag("original") && { version: "original" }),
  };
  const options = {
    ...how,
    ...(args.string("rate") !== undefined && { rate: Number(args.string("rate")) }),
  };
  const one = uuid.test(given);
  if (one && (args.flag("dry-run") || Object.keys(filter).length > 0)) {
    throw usageError("--dry-run and filters go with the name of an integration, not with one dead letter");
  }
  const path = one
    ? `/v1/dead-letter/${given}`
    : `/v1/integrations/${(await byName(client, "integration", given)).id}/dead-letter`;
  if (args.flag("dry-run")) {
    const found = await client.call<DryRun>("POST", `${path}/dry-run`, { ...filter, ...how });
    if (args.flag("json")) printJson(found);
    else printDryRun(found, args.flag("original") ? "their own versions" : `version ${found.version}`);
    return exitCode.done;
  }
  const begun = await client.call<Job>("POST", `${path}/${one ? "replay" : "replay-all"}`, { ...filter, ...options });
  const job = args.flag("detach") ? begun : await ended(client, begun);
  if (args.flag("json")) printJson(job);
  else print(sentenceOf(job));
  return args.flag("detach") || job.status === "success" ? exitCode.done : exitCode.failed;
}

export async function jobs(argv: readonly string[]): Promise<number> {
  const args = parseArguments(jobsSyntax, argv);
  if (args === null) return exitCode.done;
  const client = createClient();
  const { id } = await byName(client, "integration", args.positionals[0]!);
  const found = await client.call<List<Job>>("GET", `/v1/integrations/${id}/jobs`);
  if (args.flag("json")) printJson(found);
  else {
    printTable(
      ["JOB", "STATUS", "BEGUN (UTC)", "DONE", "TOTAL", "PASSED", "FAILED"],
      found.items.map(({ id, status, created_at, progress: { done, total, passed, failed } }) => [
        ...[id, status, shortTime(created_at)],
        ...[done, total, passed, failed],
      ]),
    );
  }
  return exitCode.done;
}

const changeJob = (change: string, syntax: Syntax) => async (argv: readonly string[]) => {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const job = await createClient().call<Job>("POST", `/v1/jobs/${encodeURIComponent(args.positionals[0]!)}/${change}`);
  if (args.flag("json")) printJson(job);
  else print(sentenceOf(job));
  return exitCode.done;
};
export const pause = changeJob("pause", pauseSyntax);
export const resume = changeJob("resume", resumeSyntax);
export const cancel = changeJob("cancel", cancelSyntax);

/** Tells how far it is while somebody watches. */
async function ended(client: Client, begun: Job): Promise<Job> {
  for (let job = begun; ; job = await client.call<Job>("GET", `/v1/jobs/${begun.id}`)) {
    if (job.status !== "running") return job;
    if (process.stderr.isTTY) note(sentenceOf(job));
    await sleep(pollMs);
  }
}

function sentenceOf({ id, status, progress: { done, total, passed, failed }, error }: Job): string {
  const why = error === null ? "" : `: ${error.message}`;
  return `job ${id} ${status}${why}: ${done} of ${total} done, ${passed} passed, ${failed} failed`;
}

function printDryRun({ total, checked, passed, failed, untried, failures }: DryRun, version: string): void {
  const rest = checked < total ? ` (${total - checked} not checked: there was no time)` : "";
  print(`under ${version}, of ${total} dead letters ${passed} would pass the steps, ${failed} would fail${rest}`);
  if (untried > 0) print(`${untried} enter behind the steps: only their destination can tell`);
  if (failures.length === 0) return;
  print("");
  printTable(
    ["COUNT", "STEP", "CODE", "EXAMPLE", "MESSAGE"],
    failures.map(({ count, step, code, example, message }) => [count, step, code, example, message]),
  );
}
