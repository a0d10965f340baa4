import { parseArguments, type Syntax } from "../arguments.ts";
import { createClient, type Named } from "../client.ts";
import { exitCode } from "../exit.ts";
import { print, printJson } from "../output.ts";
import { type Run, summaryLine } from "../run-resource.ts";
import { follow } from "./run.ts";

export const cancelSyntax: Syntax = {
  usage: "sluice runs cancel ID [--no-wait] [--json]",
  summary: "Ends a run that is under way, and waits until it has ended.",
  options: {
    "no-wait": { type: "boolean", help: "Return once it is noted." },
    json: { type: "boolean", help: "Print the run as JSON." },
  },
  positionals: [1, 1],
};

/** Exit code 0 when the run was cancelled, 1 when it had ended before, or ends otherwise. */
export async function cancelRun(argv: readonly string[]): Promise<number> {
  const args = parseArguments(cancelSyntax, argv);
  if (args === null) return exitCode.done;
  const client = createClient();
  const asked = await client.call<Run>("POST", `/v1/runs/${encodeURIComponent(args.positionals[0]!)}/cancel`);
  const { name } = await client.call<Named>("GET", `/v1/integrations/${asked.integration_id}`);
  const run = args.flag("no-wait") ? asked : await follow(client, name, asked);
  if (run === null) return exitCode.failed;
  if (args.flag("json")) printJson(run);
  else print(summaryLine(name, run));
  return run.status === "cancelled" || args.flag("no-wait") ? exitCode.done : exitCode.failed;
}
