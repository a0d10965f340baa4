import type { JsonObject } from "../../connectors/sdk/index.ts";
import { parseDuration } from "../../runtime/config/duration.ts";
import type { ShownRecords, Way } from "../../runtime/preview/index.ts";
import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, type Client, createClient, type List, type Named, ProblemError } from "../client.ts";
import { CommandError, exitCode, usageError } from "../exit.ts";
import { note, print, printable, printJson, shortTime } from "../output.ts";
import { wayText } from "../preview-text.ts";

const kinds = ["record_id", "key", "dead_letter"];

const syntax: Syntax = {
  usage: "sluice trace RECORD [--integration NAME] [--by KIND] [--since TIME] [--until TIME] [--limit N] [--json]",
  summary: [
    "Shows what became of a record: when it came, what each step makes of it, its outcome at each destination.",
    "RECORD is a record's id, a value that stands in the record (an email, an order's number), or a dead letter's id.",
  ].join("\n"),
  options: {
    integration: { type: "string", value: "NAME", help: "Where it is looked for; left out: in all of them." },
    by: { type: "string", value: "KIND", help: `What RECORD is: ${kinds.join(", ")}; left out: as it looks.` },
    since: { type: "string", value: "TIME", help: "Only what came at this time or later, or so long ago: 2h." },
    until: { type: "string", value: "TIME", help: "Only what came at this time or earlier." },
    limit: { type: "string", value: "N", help: "End with so many, 1 to 20 (default 5)." },
    json: { type: "boolean", help: "Print as JSON, in the API's words." },
  },
  positionals: [1, 1],
};

interface Event {
  readonly at: string;
  readonly type: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly dead_letter_id: string | null;
}

interface Followed {
  readonly record_id: string;
  readonly stream: string | null;
  readonly run_id: string;
  readonly integration_version: number;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly trace_id: string | null;
  readonly trace_url: string | null;
  readonly replay: { readonly job_id: string; readonly dead_letter_id: string } | null;
  readonly record: JsonObject | null;
  readonly failure: string | null;
  readonly status: string;
  readonly steps: Way["steps"] | null;
  readonly steps_reason: string | null;
  readonly truncated: boolean;
  readonly destinations: readonly {
    readonly destination: string;
    readonly status: string;
    readonly in: ShownRecords | null;
    readonly dead_letter_ids: readonly string[];
    readonly next_attempt_at: string | null;
  }[];
  readonly events: readonly Event[];
}

interface Found {
  readonly items: readonly Followed[];
  readonly searched: {
    readonly by: string;
    readonly messages: number;
    readonly since: string | null;
    readonly complete: boolean;
    readonly cut: string | null;
  };
}

/** Asked one after another: each may take seconds. */
const mostIntegrations = 50;

/** `sluice trace`. Exit code 1 where nothing was found. */
export async function trace(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const record = args.positionals[0]!;
  const by = args.string("by");
  if (by !== undefined && !kinds.includes(by)) throw usageError(`--by is one of ${kinds.join(", ")}`);
  const query = new URLSearchParams({ limit: String(integerOption(args.string("limit"), "limit", 1, 20) ?? 5) });
  if (by !== undefined) query.set("by", by);
  for (const name of ["since", "until"] as const) {
    const given = args.string(name);
    if (given !== undefined) query.set(name, timeOf(name, given));
  }
  const client = createClient();
  const asked = await integrations(client, args.string("integration"), record);
  const found: (Found & { readonly integration: string })[] = [];
  for (const { id, name } of asked) {
    const path = `/v1/integrations/${id}/records/${encodeURIComponent(record)}?${query}`;
    const answer = await client.call<Found>("GET", path);
    if (answer.items.length > 0 || asked.length === 1) found.push({ integration: name, ...answer });
    if (!answer.searched.complete) note(`${name}: ${cutOf(answer)}`);
  }
  const items = found.flatMap(({ integration, items }) => items.map((item) => ({ integration, ...item })));
  if (args.flag("json"))
    printJson({ items, searched: found.map(({ integration, searched }) => ({ integration, ...searched })) });
  else for (const line of items.flatMap((item) => [...textOf(item.integration, item), ""])) print(line);
  if (items.length > 0) return exitCode.done;
  throw new CommandError(`nothing was found of ${record}`, exitCode.failed);
}

/** A dead letter says itself whose it is. */
async function integrations(client: Client, name: string | undefined, record: string): Promise<readonly Named[]> {
  if (name !== undefined) return [await byName<Named>(client, "integration", name)];
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(record)) {
    try {
      const letter = await client.call<{ integration_id: string }>("GET", `/v1/dead-letter/${record}`);
      return [await client.call<Named>("GET", `/v1/integrations/${letter.integration_id}`)];
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 404) throw error;
    }
  }
  const { items, next_cursor } = await client.call<List<Named>>("GET", `/v1/integrations?limit=${mostIntegrations}`);
  if (next_cursor !== null)
    throw usageError(`which integration? There are more than ${mostIntegrations}: --integration NAME`);
  return items;
}

function timeOf(option: string, text: string): string {
  const ago = parseDuration(text);
  const time = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (Number.isNaN(time))
    throw usageError(`--${option} is a time such as 2026-01-31T14:00:00Z, or a duration such as 2h`);
  return new Date(time).toISOString();
}

function cutOf({ searched: { messages, since, cut } }: Found): string {
  const why = cut === "time" ? "for the time that a search may take" : "for as many messages as a search may take";
  return `looked back to ${shortTime(since)} UTC (${messages} messages), ${why}; --until ${since} goes on from there`;
}

function textOf(integration: string, item: Followed): string[] {
  const { record_id, stream, position, run_id, integration_version, status, failure, steps, steps_reason } = item;
  const place = `${printable(position.base)}:${position.ordinal}`;
  const lines = [
    `record ${record_id}  ${status}`,
    `  ${integration} version ${integration_version}, run ${run_id}${stream === null ? "" : `, ${printable(stream)}`} ${place}`,
  ];
  if (item.trace_id !== null) lines.push(`  trace ${item.trace_url ?? item.trace_id}`);
  if (item.replay) lines.push(`  replay of dead letter ${item.replay.dead_letter_id}, job ${item.replay.job_id}`);
  if (failure !== null) lines.push(`  ! ${printable(failure)}`);
  lines.push("", ...item.events.map(eventLine), "");
  if (item.record !== null) lines.push(`  record  ${printable(JSON.stringify(item.record))}`);
  const given = item.destinations.flatMap((each) => (each.in ? [{ ...each, in: each.in }] : []));
  if (steps !== null) lines.push(...wayText({ steps, destinations: given } as unknown as Way, item.record));
  if (item.truncated) lines.push("  some of what the steps give is too large to be shown");
  if (steps === null && steps_reason !== null) lines.push(`  ${printable(steps_reason)}`);
  for (const { destination, status } of item.destinations) lines.push(`  ${destination}: ${status}`);
  return lines;
}

function eventLine({ at, type, step, destination, code, message, dead_letter_id }: Event): string {
  const where = step === null ? (destination === null ? "" : ` → ${destination}`) : ` at ${step}`;
  const what = [code, message].filter((part) => part !== null).join(": ");
  const letter = type === "dead_lettered" && dead_letter_id !== null ? ` (dead letter ${dead_letter_id})` : "";
  return `  ${at.slice(0, 23).replace("T", " ")}  ${type.replaceAll("_", " ")}${where}${what === "" ? "" : `  ${printable(what)}`}${letter}`;
}
