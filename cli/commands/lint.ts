import { stringify } from "yaml";
import { checkCron } from "../../adapters/cron/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  checkConfig,
  completeIntegration,
  findType,
  pluginSchema,
  redacted,
  resolveIntegration,
  splitSecrets,
} from "../../runtime/config/index.ts";
import { type FieldError, unknownName } from "../../runtime/errors/index.ts";
import { checkFit } from "../../runtime/schema/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type Configuration, type FileFinding, readConfiguration } from "../config-file.ts";
import { exitCode, usageError } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { readRecords } from "../read-records.ts";
import { knownTypes } from "../server-plugins.ts";

/** Enough to see what is common, few enough to be quick. */
const mostSamples = 1_000;

const syntax: Syntax = {
  usage: "sluice lint FILE... [--sample [NAME=]FILE]... [--strict] [--defaults] [--json]",
  summary: "Checks configuration files without a server.",
  options: {
    sample: {
      type: "string",
      value: "[NAME=]FILE",
      multiple: true,
      help: "Check with the first 1000 records of a file (.ndjson, .json, .csv) that the integration NAME may read.",
    },
    strict: { type: "boolean", help: "Exit with 2 where there are warnings, too." },
    defaults: { type: "boolean", help: "Print the integrations with every option that was left out." },
    json: { type: "boolean", help: "Print the findings as JSON." },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

export async function lint(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const config = readConfiguration(args.positionals);
  const { errors, warnings } =
    "errors" in config
      ? { errors: config.errors, warnings: [] }
      : await check(config, await readSamples(config, args.strings("sample")));
  const faults = args.flag("strict") ? errors.length + warnings.length : errors.length;
  const withDefaults = args.flag("defaults") && errors.length === 0 && !("errors" in config);
  if (args.flag("json")) {
    printJson({ errors, warnings, ...(withDefaults && { config: await complete(config.value) }) });
    return faults === 0 ? exitCode.done : exitCode.usage;
  }
  for (const finding of errors) note(lineOf(finding));
  for (const finding of warnings) note(lineOf(finding, "warning: "));
  if (faults > 0) return exitCode.usage;
  if (withDefaults)
    process.stdout.write(stringify(await complete(config.value), { lineWidth: 0, aliasDuplicateObjects: false }));
  else print(`${args.positionals.join(", ")}: no errors`);
  return exitCode.done;
}

/** By the name of the integration that may read them. */
type Samples = ReadonlyMap<string, readonly JsonObject[]>;

async function readSamples({ value }: Configuration, given: readonly string[]): Promise<Samples> {
  const integrations = Array.isArray(value.integrations) ? (value.integrations as readonly JsonObject[]) : [];
  const names = integrations.flatMap((each) => (typeof each?.name === "string" ? [each.name] : []));
  const samples = new Map<string, readonly JsonObject[]>();
  for (const text of given) {
    const equals = text.indexOf("=");
    const named = equals > 0 && names.includes(text.slice(0, equals));
    if (!named && names.length !== 1) {
      const fault =
        equals > 0 ? unknownName("integration", text.slice(0, equals), names) : "which integration reads it?";
      throw usageError(`--sample ${text}: ${fault} (--sample NAME=FILE)`);
    }
    const [name, file] = named ? [text.slice(0, equals), text.slice(equals + 1)] : [names[0]!, text];
    const read = (await readRecords(file, mostSamples)).flatMap(({ value }) => (value === undefined ? [] : [value]));
    samples.set(name, [...(samples.get(name) ?? []), ...read]);
  }
  return samples;
}

async function check(config: Configuration, samples: Samples) {
  const { errors, warnings } = await checkFiles(config);
  const integrations = Array.isArray(config.value.integrations) ? config.value.integrations : [];
  const misfits = integrations.flatMap((spec, index) => {
    const place = `integrations[${index}]`;
    const faulty = errors.some(({ path }) => path === place || path.startsWith(`${place}.`));
    return faulty ? [] : findMisfits(place, spec as JsonObject, samples);
  });
  return { errors: located(config, errors), warnings: located(config, [...warnings, ...misfits]) };
}

/** What can be known of a configuration by itself, by path. Of types that only plugins have a server is asked. */
export async function checkFiles({ value }: Configuration) {
  const { types, unasked } = await knownTypes(value);
  if (unasked !== undefined) note(`only the types that sluice comes with are known here: ${unasked}`);
  return checkConfig(value, {
    validator: createValidator(),
    types,
    existing: new Map(),
    pluginsUnasked: true,
    // A file with no connectors of its own relies on what the server has.
    allConnectorsKnown: Array.isArray(value.connectors),
    checkCron,
  });
}

/** What an integration without errors makes of its samples: warnings all, since other records may fit. */
function findMisfits(place: string, spec: JsonObject, samples: Samples): FieldError[] {
  const source = { schema: null, samples: samples.get(spec.name as string) ?? [] };
  const integration = resolveIntegration(spec);
  const { breaks, warnings } = checkFit({ spec, integration, source, destinations: new Map() });
  // A mapping that several steps use is looked at for each of them.
  const found = new Map([...breaks, ...warnings].map((each) => [`${each.path}\n${each.message}`, each]));
  return [...found.values()].map(({ path, message }) => ({ path: `${place}.${path}`, message }));
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

/** Invariant 7: without the secrets of its connectors and plugins. */
async function complete(config: JsonObject): Promise<JsonObject> {
  const integrations = (config.integrations ?? []) as JsonObject[];
  const connectors = config.connectors as JsonObject[] | undefined;
  const plugins = config.plugins as JsonObject[] | undefined;
  const { types } = await knownTypes(config);
  const open = (connector: JsonObject): JsonObject => {
    if (connector.config === undefined) return connector;
    const type = findType(types, connector.type as string);
    // Of a type that is not known, any of it may be a secret.
    if (type === undefined) return { ...connector, config: redacted };
    return { ...connector, config: splitSecrets(type.config, connector.config as JsonObject).open };
  };
  return {
    ...config,
    ...(plugins && { plugins: plugins.map((plugin) => splitSecrets(pluginSchema, plugin).open) }),
    ...(connectors && { connectors: connectors.map(open) }),
    integrations: integrations.map(completeIntegration) as Json,
  };
}
