import type { JsonObject } from "../../connectors/sdk/index.ts";
import { unknownName } from "../../runtime/errors/index.ts";
import type { Preview, SourceRecord } from "../../runtime/preview/index.ts";
import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, ProblemError } from "../client.ts";
import { readConfiguration } from "../config-file.ts";
import { exitCode, usageError } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { previewFiles } from "../preview-files.ts";
import { previewText } from "../preview-text.ts";
import { readRecords } from "../read-records.ts";
import { checkFiles, lineOf, located } from "./lint.ts";

const syntax: Syntax = {
  usage: "sluice preview NAME|FILE... [--integration NAME] [--records FILE] [--sample N] [--json]",
  summary: [
    "Takes records through an integration's steps and shows what each takes and gives; nothing is written.",
    "NAME is an integration on the server; FILE, a configuration, needs none.",
  ].join("\n"),
  options: {
    integration: { type: "string", value: "NAME", help: "Which of a file's integrations." },
    records: {
      type: "string",
      value: "FILE",
      help: "Records to take (.ndjson, .json, .csv; - is stdin); left out: the source's first.",
    },
    sample: { type: "string", value: "N", help: "How many records, 1 to 1000 (default 10)." },
    json: { type: "boolean", help: "Print as JSON, in the API's words." },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

const mostRecords = 1_000;

/** `sluice preview`. Exit code 1 when a record would fail. */
export async function preview(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const sample = integerOption(args.string("sample"), "sample", 1, mostRecords);
  const file = args.string("records");
  const [first, ...others] = args.positionals as [string, ...string[]];
  // No integration has such a name.
  const files = others.length > 0 || /[./\\]|^-$/.test(first);
  if (!files && args.string("integration") !== undefined)
    throw usageError("--integration goes with configuration files");
  const read = async () => (file === undefined ? undefined : readRecords(file, sample ?? mostRecords));
  const found = files
    ? await ofFiles(args.positionals, args.string("integration"), read, sample ?? 10)
    : await ofServer(first, await read(), sample);
  if (found === null) return exitCode.usage;
  if (args.flag("json")) printJson(found);
  else for (const line of previewText(found)) print(line);
  return found.totals.failed > 0 ? exitCode.failed : exitCode.done;
}

/** Null where the configuration is not in order: that was told with its places. */
async function ofFiles(
  names: readonly string[],
  wanted: string | undefined,
  read: () => Promise<readonly SourceRecord[] | undefined>,
  sample: number,
): Promise<Preview | null> {
  const config = readConfiguration(names);
  const errors = "errors" in config ? config.errors : located(config, (await checkFiles(config)).errors);
  for (const finding of errors) note(lineOf(finding));
  if ("errors" in config || errors.length > 0) return null;
  const integrations = (config.value.integrations ?? []) as JsonObject[];
  const known = integrations.map(({ name }) => name as string);
  if (wanted === undefined && known.length !== 1)
    throw usageError(`which integration? --integration ${known.slice(0, 20).join("|")}`);
  const spec = wanted === undefined ? integrations[0] : integrations.find(({ name }) => name === wanted);
  if (spec === undefined) throw usageError(unknownName("integration", wanted as string, known));
  return previewFiles(config.value, spec, { records: await read(), sample });
}

async function ofServer(
  name: string,
  records: readonly SourceRecord[] | undefined,
  sample: number | undefined,
): Promise<Preview> {
  const unread = records?.find(({ value }) => value === undefined);
  if (unread !== undefined) throw usageError(`${unread.position.base}:${unread.position.ordinal}: ${unread.message}`);
  const client = createClient();
  const { id } = await byName(client, "integration", name);
  const body =
    records === undefined
      ? { ...(sample !== undefined && { sample }) }
      : { records: records.map(({ value }) => value) };
  try {
    const found = await client.call<Preview>("POST", `/v1/integrations/${id}/preview`, body);
    if (records === undefined) return found;
    // The server does not know where they come from.
    return { ...found, records: found.records.map((each, i) => ({ ...each, position: records[i]!.position })) };
  } catch (error) {
    if (error instanceof ProblemError) for (const { path, message } of error.errors) note(`${path}: ${message}`);
    throw error;
  }
}
