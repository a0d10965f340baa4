import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, type List } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, print, printable, printJson, printTable, shortTime } from "../output.ts";
import { filterGiven, filterOptions } from "./dlq-filter.ts";
import { diffLines } from "./dlq-text.ts";

interface Place {
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
}

interface DeadLetter extends Place {
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly last_attempted_at: string;
  readonly attempt_count: number;
  readonly resolution: string | null;
  readonly payload?: unknown;
  readonly raw?: string;
  readonly state?: unknown;
  readonly corrected?: unknown;
}

interface Group extends Place {
  readonly fingerprint: string;
  readonly count: number;
  readonly first_failed_at: string;
  readonly last_attempted_at: string;
  readonly code: string;
  readonly message: string;
  readonly example_id: string;
}

const json = { type: "boolean", help: "Print as JSON." } as const;
const paging: Syntax["options"] = {
  limit: { type: "string", value: "N", help: "Most rows to list, 1 to 200 (default 20)." },
  cursor: { type: "string", value: "CURSOR", help: "Go on where the list before ended." },
};

export const listSyntax: Syntax = {
  usage: "sluice dlq list NAME [--resolved] [--code CODE] [--fingerprint HASH] [--limit N] [--cursor CURSOR] [--json]",
  summary: "Lists the records of an integration that could not be delivered, newest first.",
  options: {
    resolved: { type: "boolean", help: "Those that are resolved, in place of those that are not." },
    ...filterOptions,
    ...paging,
    json,
  },
  positionals: [1, 1],
};

export const groupsSyntax: Syntax = {
  usage: "sluice dlq groups NAME [--limit N] [--cursor CURSOR] [--json]",
  summary: "Lists what failed alike as one row each, the most frequent first.",
  options: { ...paging, json },
  positionals: [1, 1],
};

export const showSyntax: Syntax = {
  usage: "sluice dlq show ID [--json]",
  summary: "Shows one dead letter, with the record.",
  options: { json },
  positionals: [1, 1],
};

export const diffSyntax: Syntax = {
  usage: "sluice dlq diff ID [--json]",
  summary: "Compares a record as it came with its correction, or with its state before the failure.",
  options: { json },
  positionals: [1, 1],
};

export async function list(argv: readonly string[]): Promise<number> {
  const args = parseArguments(listSyntax, argv);
  if (args === null) return exitCode.done;
  const query = new URLSearchParams({ resolved: String(args.flag("resolved")), ...filterGiven(args) });
  return page<DeadLetter>("dead-letter", args, query, (items) =>
    printTable(
      ["DEAD LETTER", "AT", "CODE", "TRIED LAST (UTC)", "RECORD", "MESSAGE"],
      items.map((letter) => [
        letter.id,
        placeOf(letter),
        letter.code,
        shortTime(letter.last_attempted_at),
        recordOf(letter),
        letter.message,
      ]),
    ),
  );
}

export async function groups(argv: readonly string[]): Promise<number> {
  const args = parseArguments(groupsSyntax, argv);
  if (args === null) return exitCode.done;
  return page<Group>("dead-letter/groups", args, new URLSearchParams(), (items) =>
    printTable(
      ["FINGERPRINT", "COUNT", "AT", "CODE", "FIRST (UTC)", "LAST (UTC)", "EXAMPLE", "MESSAGE"],
      items.map((group) => [
        group.fingerprint,
        group.count,
        placeOf(group),
        group.code,
        shortTime(group.first_failed_at),
        shortTime(group.last_attempted_at),
        group.example_id,
        group.message,
      ]),
    ),
  );
}

export async function show(argv: readonly string[]): Promise<number> {
  const args = parseArguments(showSyntax, argv);
  if (args === null) return exitCode.done;
  const letter = await get(args.positionals[0]!);
  if (args.flag("json")) {
    printJson(letter);
    return exitCode.done;
  }
  const { payload, raw, state, corrected, position, ...rest } = letter;
  for (const [field, value] of Object.entries({ ...rest, position: recordOf(letter) })) {
    if (value !== null)
      print(`${field.padEnd(20)}${typeof value === "object" ? JSON.stringify(value) : printable(String(value))}`);
  }
  print(`\nraw:\n${printable(raw ?? "")}`);
  if (corrected != null) print(`\ncorrected:\n${JSON.stringify(corrected, null, 2)}`);
  if (state != null) print(`\nstate before the failure:\n${JSON.stringify(state, null, 2)}`);
  return exitCode.done;
}

export async function diff(argv: readonly string[]): Promise<number> {
  const args = parseArguments(diffSyntax, argv);
  if (args === null) return exitCode.done;
  const letter = await get(args.positionals[0]!);
  const [name, after] =
    letter.corrected != null ? ["corrected", letter.corrected] : ["state before the failure", letter.state ?? null];
  const before = letter.payload ?? letter.raw;
  if (args.flag("json")) printJson({ id: letter.id, before, after, compared_with: name });
  else {
    print(`--- payload\n+++ ${name}`);
    for (const line of diffLines(before, after)) print(printable(line));
    print(`\n${letter.code} at ${placeOf(letter)}: ${printable(letter.message)}`);
  }
  return exitCode.done;
}

const get = (id: string) => createClient().call<DeadLetter>("GET", `/v1/dead-letter/${encodeURIComponent(id)}`);

async function page<Row>(
  path: string,
  args: NonNullable<ReturnType<typeof parseArguments>>,
  query: URLSearchParams,
  table: (items: readonly Row[]) => void,
): Promise<number> {
  query.set("limit", String(integerOption(args.string("limit"), "limit", 1, 200) ?? 20));
  const cursor = args.string("cursor");
  if (cursor !== undefined) query.set("cursor", cursor);
  const client = createClient();
  const { id } = await byName(client, "integration", args.positionals[0]!);
  const found = await client.call<List<Row>>("GET", `/v1/integrations/${id}/${path}?${query}`);
  if (args.flag("json")) printJson(found);
  else {
    table(found.items);
    if (found.next_cursor !== null) note(`there are more: --cursor ${found.next_cursor}`);
  }
  return exitCode.done;
}

const recordOf = ({ position }: DeadLetter) => `${position.base}:${position.ordinal}`;

function placeOf({ step, destination, rule }: Place): string {
  const place = step ?? destination ?? "source";
  return rule === null ? place : `${place}[${rule}]`;
}
