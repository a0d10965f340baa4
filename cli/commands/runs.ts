import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, type List } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, printJson, printTable, shortTime } from "../output.ts";
import type { Run } from "../run-resource.ts";
import { showLedger } from "./run-ledger.ts";
import { cancelRun, cancelSyntax } from "./runs-cancel.ts";

const syntax: Syntax = {
  usage: "sluice runs NAME [--status STATUS] [--limit N] [--cursor CURSOR] [--ledger] [--json]",
  summary: `Lists the runs of an integration, newest first. \`${cancelSyntax.usage}\` ends one.`,
  options: {
    status: { type: "string", value: "STATUS", help: "Only running, success, partial, failed or cancelled ones." },
    limit: { type: "string", value: "N", help: "Most runs to list, 1 to 200 (default 20)." },
    cursor: { type: "string", value: "CURSOR", help: "Go on where the list before ended." },
    ledger: { type: "boolean", help: "What became of the newest run's records, by step and destination." },
    json: { type: "boolean", help: "Print the list as JSON." },
  },
  positionals: [1, 1],
};

export async function runs(argv: readonly string[]): Promise<number> {
  // Alone it is an integration's name.
  if (argv[0] === "cancel" && /^([^-]|--help$|-h$)/.test(argv[1] ?? "")) return cancelRun(argv.slice(1));
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const limit = integerOption(args.string("limit"), "limit", 1, 200) ?? 20;
  const query = new URLSearchParams({ limit: String(limit) });
  for (const name of ["status", "cursor"]) if (args.string(name) !== undefined) query.set(name, args.string(name)!);
  const client = createClient();
  const { id } = await byName(client, "integration", args.positionals[0]!);
  const list = await client.call<List<Run>>("GET", `/v1/integrations/${id}/runs?${query}`);
  if (args.flag("ledger")) return showLedger(client, list, args.flag("json"));
  if (args.flag("json")) {
    printJson(list);
    return exitCode.done;
  }
  printTable(
    ["RUN", "STATUS", "TRIGGER", "STARTED (UTC)", "SECONDS", "IN", "OUT", "FILTERED", "FAILED", "REASON"],
    list.items.map((run) => [
      run.id,
      run.status,
      run.trigger,
      shortTime(run.started_at),
      seconds(run),
      run.records_in,
      run.records_out,
      run.records_filtered,
      run.records_failed,
      run.error?.message ?? run.waiting,
    ]),
  );
  if (list.next_cursor !== null) note(`there are more: --cursor ${list.next_cursor}`);
  return exitCode.done;
}

function seconds({ started_at, finished_at }: Run): string | null {
  if (finished_at === null) return null;
  return ((Date.parse(finished_at) - Date.parse(started_at)) / 1_000).toFixed(1);
}
