import { stringify } from "yaml";
import { checkCron } from "../../adapters/cron/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { checkConfig, completeIntegration } from "../../runtime/config/index.ts";
import type { FieldError } from "../../runtime/errors/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type Configuration, type FileFinding, readConfiguration } from "../config-file.ts";
import { connectorTypes } from "../connector-types.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson } from "../output.ts";

const syntax: Syntax = {
  usage: "sluice lint FILE... [--defaults] [--json]",
  summary: "Checks configuration files without a server.",
  options: {
    defaults: { type: "boolean", help: "Print the integrations with every option that was left out." },
    json: { type: "boolean", help: "Print the findings as JSON." },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

export async function lint(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const config = readConfiguration(args.positionals);
  const { errors, warnings } = "errors" in config ? { errors: config.errors, warnings: [] } : check(config);
  const withDefaults = args.flag("defaults") && errors.length === 0 && !("errors" in config);
  if (args.flag("json")) {
    printJson({ errors, warnings, ...(withDefaults && { config: complete(config.value) }) });
    return errors.length === 0 ? exitCode.done : exitCode.usage;
  }
  for (const finding of errors) note(lineOf(finding));
  for (const finding of warnings) note(lineOf(finding, "warning: "));
  if (errors.length > 0) return exitCode.usage;
  if (withDefaults)
    process.stdout.write(stringify(complete(config.value), { lineWidth: 0, aliasDuplicateObjects: false }));
  else print(`${args.positionals.join(", ")}: no errors`);
  return exitCode.done;
}

function check(config: Configuration) {
  const { errors, warnings } = checkConfig(config.value, {
    validator: createValidator(),
    types: connectorTypes,
    existing: new Map(),
    // A file with no connectors of its own relies on what the server has.
    allConnectorsKnown: Array.isArray(config.value.connectors),
    checkCron,
  });
  return { errors: located(config, errors), warnings: located(config, warnings) };
}

/** Findings with their places in the files, in the files' order. */
export function located(config: Configuration, findings: readonly FieldError[]): FileFinding[] {
  return findings
    .map(({ path, message }) => ({ ...config.locate(path), path, message }))
    .sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : 0));
}

/** `shop.yaml:12:5: integrations[0].source.conector: unknown field …`, as editors and terminals link it. */
export function lineOf({ file, line, column, path, message }: FileFinding, kind = ""): string {
  return `${file}:${line}:${column}: ${kind}${path === "" ? "" : `${path}: `}${message}`;
}

function complete(config: JsonObject): JsonObject {
  const integrations = (config.integrations ?? []) as JsonObject[];
  return { ...config, integrations: integrations.map(completeIntegration) as Json };
}
