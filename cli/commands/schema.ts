import { createValidator } from "../../adapters/json-schema/index.ts";
import { publishedSchema } from "../../runtime/config/index.ts";
import { publishedTestSchema } from "../../runtime/testing/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { connectorTypes } from "../connector-types.ts";
import { exitCode } from "../exit.ts";
import { printJson } from "../output.ts";

const syntax: Syntax = {
  usage: "sluice schema [--tests] > sluice.schema.json",
  summary: [
    "Prints the JSON Schema of the configuration file, for editors: the first line of a YAML file names it, relative to",
    "that file.",
    "",
    "  # yaml-language-server: $schema=sluice.schema.json",
  ].join("\n"),
  options: { tests: { type: "boolean", help: "Print that of test files." } },
  positionals: [0, 0],
};

export async function schema(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  printJson(args.flag("tests") ? publishedTestSchema() : publishedSchema(connectorTypes, createValidator()));
  return exitCode.done;
}
