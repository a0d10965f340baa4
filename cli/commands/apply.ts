import type { Change, FieldChange, Note } from "../../runtime/config/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type Client, createClient, ProblemError } from "../client.ts";
import { type Configuration, readConfiguration } from "../config-file.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { lineOf, located } from "./lint.ts";

const json = { type: "boolean", help: "Print the changes as JSON." } as const;

const applySyntax: Syntax = {
  usage: "sluice apply FILE... [--allow-destructive] [--skip-checks] [--json]",
  summary: "Applies configuration files: all of them or nothing. What they do not name is left as it is.",
  options: {
    "allow-destructive": { type: "boolean", help: "Also apply what loses data or state: plan marks it with !." },
    "skip-checks": { type: "boolean", help: "Do not connect to what changed to see whether it can be used." },
    json,
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

const planSyntax: Syntax = {
  usage: "sluice plan FILE... [--json]",
  summary: "Shows what applying configuration files would change, and changes nothing.",
  options: { json },
  positionals: [1, Number.POSITIVE_INFINITY],
};

export async function apply(argv: readonly string[]): Promise<number> {
  const args = parseArguments(applySyntax, argv);
  if (args === null) return exitCode.done;
  const query = new URLSearchParams({
    skip_checks: String(args.flag("skip-checks")),
    allow_destructive: String(args.flag("allow-destructive")),
  });
  return send(args.positionals, query, ({ changes, left }) => {
    if (args.flag("json")) return void printJson({ changes, left });
    for (const { action, kind, name, notes } of changes) {
      print(`${pastTense[action].padEnd(9)}  ${kind.padEnd(11)}  ${name}`);
      for (const note of notes) print(`           ${noteLine(note)}`);
    }
  });
}

export async function plan(argv: readonly string[]): Promise<number> {
  const args = parseArguments(planSyntax, argv);
  if (args === null) return exitCode.done;
  return send(args.positionals, new URLSearchParams({ dry_run: "true" }), ({ changes, left }) => {
    if (args.flag("json")) return void printJson({ changes, left });
    for (const change of changes) {
      print(`${change.action.padEnd(9)}  ${change.kind.padEnd(11)}  ${change.name}${versions(change)}`);
      for (const field of change.fields) print(`           ${fieldLine(field)}`);
      for (const note of change.notes) print(`           ${noteLine(note)}`);
    }
    for (const kind of ["connector", "integration"]) {
      const names = left.filter((each) => each.kind === kind).map(({ name }) => name);
      if (names.length > 0) print(`left       ${kind.padEnd(11)}  ${listed(names)}: not in these files, left as it is`);
    }
    const count = (action: Change["action"]) => changes.filter((change) => change.action === action).length;
    print(`${count("create")} to create, ${count("update")} to update, ${count("unchanged")} unchanged`);
    const losses = changes.flatMap(({ notes }) => notes).filter(({ destructive }) => destructive).length;
    if (losses > 0)
      print(`${losses} destructive (!): sluice apply wants --allow-destructive for ${losses > 1 ? "them" : "it"}`);
  });
}

/** As the server answers. */
interface Plan {
  readonly changes: readonly Change[];
  readonly left: readonly Pick<Change, "kind" | "name">[];
}

const pastTense = { create: "created", update: "updated", unchanged: "unchanged" } as const;

const versions = ({ action, version: { before, after } }: Change) =>
  action === "update" ? ` (version ${before} → ${after})` : "";

const noteLine = ({ path, message, destructive }: Note) =>
  `${destructive ? "! " : ""}${path === "" ? "" : `${path}: `}${message}`;

/** As many names as a line takes. */
const mostListed = 10;

function listed(names: readonly string[]): string {
  const more = names.length > mostListed ? ` and ${names.length - mostListed} more` : "";
  return names.slice(0, mostListed).join(", ") + more;
}

async function send(files: readonly string[], query: URLSearchParams, show: (plan: Plan) => void): Promise<number> {
  const config = readConfiguration(files);
  if ("errors" in config) {
    for (const finding of config.errors) note(lineOf(finding));
    return exitCode.usage;
  }
  const answer = await submit(createClient(), `/v1/apply?${query}`, config);
  if (answer === null) return exitCode.usage;
  show(answer);
  return exitCode.done;
}

/** The server's answer; null when it refused the configuration and the faults were told with their places. */
async function submit(client: Client, path: string, config: Configuration): Promise<Plan | null> {
  try {
    return await client.call<Plan>("POST", path, config.value);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.errors.length === 0) throw error;
    for (const finding of located(config, error.errors)) note(lineOf(finding));
    if (error.status === 409) note(`${error.message} (--allow-destructive)`);
    return null;
  }
}

/** `+ path: after`, `- path: before`, `~ path: before → after`. */
function fieldLine({ path, before, after }: FieldChange): string {
  if (before === undefined) return `+ ${path}: ${JSON.stringify(after)}`;
  if (after === undefined) return `- ${path}: ${JSON.stringify(before)}`;
  return `~ ${path}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`;
}
