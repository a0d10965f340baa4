import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { Change, FieldChange } from "../../runtime/config/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type Client, createClient, ProblemError } from "../client.ts";
import { type Configuration, readConfiguration } from "../config-file.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { lineOf, located } from "./lint.ts";

const json = { type: "boolean", help: "Print the changes as JSON." } as const;

const applySyntax: Syntax = {
  usage: "sluice apply FILE... [--skip-checks] [--json]",
  summary: "Applies configuration files: all of them or nothing. What they do not name is left as it is.",
  options: {
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
  const query = args.flag("skip-checks") ? "?skip_checks=true" : "";
  return send(args.positionals, query, (changes) => {
    if (args.flag("json")) return void printJson({ changes });
    for (const { action, kind, name, notes } of changes) {
      print(`${pastTense[action].padEnd(9)}  ${kind.padEnd(11)}  ${name}`);
      for (const { message } of notes) print(`           ${message}`);
    }
  });
}

export async function plan(argv: readonly string[]): Promise<number> {
  const args = parseArguments(planSyntax, argv);
  if (args === null) return exitCode.done;
  return send(args.positionals, "?dry_run=true", (changes) => {
    if (args.flag("json")) return void printJson({ changes });
    for (const { action, kind, name, fields, notes } of changes) {
      print(`${action.padEnd(9)}  ${kind.padEnd(11)}  ${name}`);
      for (const field of fields) print(`           ${fieldLine(field)}`);
      for (const { message, destructive } of notes) print(`           ${destructive ? "! " : ""}${message}`);
    }
    const count = (action: Change["action"]) => changes.filter((change) => change.action === action).length;
    print(`${count("create")} to create, ${count("update")} to update, ${count("unchanged")} unchanged`);
  });
}

const pastTense = { create: "created", update: "updated", unchanged: "unchanged" } as const;

async function send(
  files: readonly string[],
  query: string,
  show: (changes: readonly Change[]) => void,
): Promise<number> {
  const config = readConfiguration(files);
  if ("errors" in config) {
    for (const finding of config.errors) note(lineOf(finding));
    return exitCode.usage;
  }
  const answer = await submit(createClient(), `/v1/apply${query}`, config);
  if (answer === null) return exitCode.usage;
  show(answer.changes as unknown as readonly Change[]);
  return exitCode.done;
}

/** The server's answer; null when it refused the configuration and the faults were told with their places. */
async function submit(client: Client, path: string, config: Configuration): Promise<JsonObject | null> {
  try {
    return await client.call<JsonObject>("POST", path, config.value);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.errors.length === 0) throw error;
    for (const finding of located(config, error.errors)) note(lineOf(finding));
    return null;
  }
}

/** `+ path: after`, `- path: before`, `~ path: before → after`. */
function fieldLine({ path, before, after }: FieldChange): string {
  if (before === undefined) return `+ ${path}: ${JSON.stringify(after)}`;
  if (after === undefined) return `- ${path}: ${JSON.stringify(before)}`;
  return `~ ${path}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`;
}
