import { setTimeout as delay } from "node:timers/promises";
import { isEndless } from "../../runtime/config/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { byName, type Client, createClient, ProblemError } from "../client.ts";
import { CommandError, exitCode } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { createProgress } from "../progress.ts";
import { type Run, summaryLine } from "../run-resource.ts";

const syntax: Syntax = {
  usage: "sluice run NAME [--no-wait] [--json]",
  summary:
    "Runs an integration and waits until every record of the run is settled. One with trigger event or webhook is not waited for.",
  options: {
    "no-wait": { type: "boolean", help: "Start the run and print its id." },
    json: { type: "boolean", help: "Print the run as JSON." },
  },
  positionals: [1, 1],
};

/** How long the server may be away before the wait is given up; the run itself goes on or is taken over. */
const patienceMs = 60_000;
const firstPollMs = 50;
const pollMs = 500;

/** Exit code 0 when every record was delivered or filtered, else 1. */
export async function run(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const name = args.positionals[0]!;
  const client = createClient();
  const { id } = await byName(client, "integration", name);
  const started = await client.call<Run>("POST", `/v1/integrations/${id}/run`);
  if (isEndless(started.trigger) && !args.flag("no-wait")) {
    note(
      `${name}: is read all the time (trigger ${started.trigger}), and not waited for; see it with \`sluice runs ${name}\``,
    );
  }
  if (isEndless(started.trigger) || args.flag("no-wait")) {
    if (args.flag("json")) printJson(started);
    else print(started.id);
    return exitCode.done;
  }
  const ended = await follow(client, name, started);
  if (ended === null) {
    note(`${name}: the run goes on without you; end it with \`sluice runs cancel ${started.id}\``);
    return exitCode.failed;
  }
  if (args.flag("json")) printJson(ended);
  else print(summaryLine(name, ended));
  if (ended.error !== null) {
    const { path, message } = ended.error;
    note(`${name}: ${path === undefined ? "" : `${path}: `}${message}`);
  }
  if (ended.records_failed > 0) note(`${name}: see the records that failed with \`sluice dlq list ${name}\``);
  return ended.status === "success" ? exitCode.done : exitCode.failed;
}

/** Waits for the end of a run and shows how it does; null when Ctrl-C ended the waiting. */
export async function follow(client: Client, name: string, started: Run): Promise<Run | null> {
  const left = new AbortController();
  const leave = () => left.abort();
  process.once("SIGINT", leave);
  const progress = createProgress(client, name);
  try {
    let run = started;
    let wait = firstPollMs;
    let answered = performance.now();
    while (run.status === "running") {
      await delay(wait, undefined, { signal: left.signal });
      wait = Math.min(wait * 2, pollMs);
      try {
        run = await client.call<Run>("GET", `/v1/runs/${run.id}`);
        answered = performance.now();
        await progress.show(run);
      } catch (error) {
        const why = reasonToWait(error, answered);
        if (why === null) throw error;
        progress.say(why);
      }
    }
    return run;
  } catch (error) {
    if (left.signal.aborted) return null;
    throw error;
  } finally {
    progress.close();
    process.removeListener("SIGINT", leave);
  }
}

/** A server that restarts or waits for its own servers is waited for, within reason. */
function reasonToWait(error: unknown, answered: number): string | null {
  if (error instanceof ProblemError) return error.status === 503 ? error.message : null;
  const away = error instanceof CommandError && error.exit === exitCode.unreachable;
  return away && performance.now() - answered < patienceMs ? "the server does not answer; waiting for it" : null;
}
