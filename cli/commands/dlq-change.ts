import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { messageOf } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { createClient } from "../client.ts";
import { exitCode, usageError } from "../exit.ts";
import { print, printJson } from "../output.ts";

const json = { type: "boolean", help: "Print as JSON." } as const;

export const correctSyntax: Syntax = {
  usage: "sluice dlq correct ID FILE|- [--json]",
  summary: "Gives a dead letter another payload for its replay, from a file with JSON; the original stays.",
  options: { json },
  positionals: [2, 2],
};

export const discardSyntax: Syntax = {
  usage: "sluice dlq discard ID --reason TEXT [--json]",
  summary: "Resolves a dead letter that is not wanted any more.",
  options: { reason: { type: "string", value: "TEXT", help: "Why; kept with it." }, json },
  positionals: [1, 1],
};

export async function correct(argv: readonly string[]): Promise<number> {
  const args = parseArguments(correctSyntax, argv);
  if (args === null) return exitCode.done;
  const [id, file] = args.positionals as [string, string];
  const payload = await read(file);
  return change(id, { payload }, args.flag("json"), `corrected; replay it with: sluice dlq replay ${id}`);
}

export async function discard(argv: readonly string[]): Promise<number> {
  const args = parseArguments(discardSyntax, argv);
  if (args === null) return exitCode.done;
  const reason = args.string("reason");
  if (reason === undefined) throw usageError(`--reason is missing; usage: ${discardSyntax.usage}`);
  return change(args.positionals[0]!, { resolution: "discarded", reason }, args.flag("json"), "discarded");
}

async function change(id: string, body: object, asJson: boolean, done: string): Promise<number> {
  const letter = await createClient().call("PATCH", `/v1/dead-letter/${encodeURIComponent(id)}`, body);
  if (asJson) printJson(letter);
  else print(done);
  return exitCode.done;
}

async function read(file: string): Promise<unknown> {
  try {
    return parseJson(file === "-" ? await text(process.stdin) : await readFile(file, "utf8"));
  } catch (error) {
    throw usageError(`${file}: ${messageOf(error)}`);
  }
}
