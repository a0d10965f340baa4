import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, type List } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, print, printable, printJson, printTable, shortTime } from "../output.ts";
import { subcommand } from "../subcommand.ts";

interface DeadLetter {
  readonly id: string;
  readonly run_id: string;
  readonly record_id: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly attempt_count: number;
  readonly first_failed_at: string;
  readonly payload?: unknown;
  readonly raw?: string;
  readonly state?: unknown;
}

const json = { type: "boolean", help: "Print as JSON." } as const;

const listSyntax: Syntax = {
  usage: "sluice dlq list NAME [--resolved] [--limit N] [--cursor CURSOR] [--json]",
  summary: "Lists the records of an integration that could not be delivered, newest first.",
  options: {
    resolved: { type: "boolean", help: "Those that are resolved, in place of those that are not." },
    limit: { type: "string", value: "N", help: "Most dead letters to list, 1 to 200 (default 20)." },
    cursor: { type: "string", value: "CURSOR", help: "Go on where the list before ended." },
    json,
  },
  positionals: [1, 1],
};

const showSyntax: Syntax = {
  usage: "sluice dlq show ID [--json]",
  summary: "Shows one dead letter, with the record.",
  options: { json },
  positionals: [1, 1],
};

export const dlq = subcommand("dlq", "Looks at records that could not be delivered.", {
  list: { summary: listSyntax.summary, run: list },
  show: { summary: showSyntax.summary, run: show },
});

async function list(argv: readonly string[]): Promise<number> {
  const args = parseArguments(listSyntax, argv);
  if (args === null) return exitCode.done;
  const limit = integerOption(args.string("limit"), "limit", 1, 200) ?? 20;
  const query = new URLSearchParams({ limit: String(limit), resolved: String(args.flag("resolved")) });
  const cursor = args.string("cursor");
  if (cursor !== undefined) query.set("cursor", cursor);
  const client = createClient();
  const { id } = await byName(client, "integration", args.positionals[0]!);
  const found = await client.call<List<DeadLetter>>("GET", `/v1/integrations/${id}/dead-letter?${query}`);
  if (args.flag("json")) {
    printJson(found);
    return exitCode.done;
  }
  printTable(
    ["DEAD LETTER", "AT", "CODE", "FAILED (UTC)", "RECORD", "MESSAGE"],
    found.items.map((letter) => [
      letter.id,
      placeOf(letter),
      letter.code,
      shortTime(letter.first_failed_at),
      `${letter.position.base}:${letter.position.ordinal}`,
      letter.message,
    ]),
  );
  if (found.next_cursor !== null) note(`there are more: --cursor ${found.next_cursor}`);
  return exitCode.done;
}

async function show(argv: readonly string[]): Promise<number> {
  const args = parseArguments(showSyntax, argv);
  if (args === null) return exitCode.done;
  const letter = await createClient().call<DeadLetter>(
    "GET",
    `/v1/dead-letter/${encodeURIComponent(args.positionals[0]!)}`,
  );
  if (args.flag("json")) {
    printJson(letter);
    return exitCode.done;
  }
  const { payload, raw, state, position, ...rest } = letter;
  for (const [field, value] of Object.entries({ ...rest, position: `${position.base}:${position.ordinal}` })) {
    if (value !== null)
      print(`${field.padEnd(20)}${typeof value === "object" ? JSON.stringify(value) : printable(String(value))}`);
  }
  print(`\nraw:\n${printable(raw ?? "")}`);
  if (state !== null && state !== undefined) print(`\nstate before the failure:\n${JSON.stringify(state, null, 2)}`);
  return exitCode.done;
}

function placeOf({ step, destination, rule }: DeadLetter): string {
  const place = step ?? destination ?? "source";
  return rule === null ? place : `${place}[${rule}]`;
}
