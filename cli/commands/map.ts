import { createReadStream, fstatSync } from "node:fs";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import {
  compileMapping,
  compilePredicate,
  type Mapping,
  type Predicate,
  parseFieldPath,
} from "../../runtime/mapping/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type ConfigFile, type FileFinding, readConfigFile } from "../config-file.ts";
import { exitCode, usageError } from "../exit.ts";
import { note } from "../output.ts";
import { maxLineBytes, readBlocks, withoutBom } from "./map-blocks.ts";
import { jsonError, type MapCounts, mapLines } from "./map-lines.ts";

const syntax: Syntax = {
  usage: "sluice map --spec RULES [--where PREDICATE] [--stats] < in.ndjson > out.ndjson",
  summary:
    "Maps records, one JSON object a line, from stdin to stdout. Those that fail are told on stderr, a line each.",
  options: {
    spec: { type: "string", value: "RULES", help: "File with the rules, a JSON or YAML array." },
    where: { type: "string", value: "PREDICATE", help: "Take only records for which this holds." },
    stats: { type: "boolean", help: "End with a line of counts on stderr." },
  },
  positionals: [0, 0],
};

/** `sluice map`. Exit code 1 when a record failed, 2 when rules or predicate are not in order; nothing is read then. */
export async function map(argv: string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const spec = args.string("spec");
  if (spec === undefined) throw usageError("--spec is missing; see sluice map --help");
  const where = args.string("where");
  const predicate = where === undefined ? undefined : readPredicate(where);
  const mapping = readMapping(spec);
  if ("errors" in mapping) {
    for (const { file, line, column, path, message } of mapping.errors) {
      note(`${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`);
    }
    return exitCode.usage;
  }
  const start = performance.now();
  const total = await mapInput(mapping, predicate);
  if (args.flag("stats")) note(JSON.stringify({ ...total, seconds: Math.round(performance.now() - start) / 1000 }));
  return total.failed > 0 ? exitCode.failed : exitCode.done;
}

async function mapInput(mapping: Mapping, predicate: Predicate | undefined): Promise<MapCounts> {
  const total: MapCounts = { in: 0, out: 0, filtered: 0, failed: 0 };
  let line = 1;
  // A reader of stderr that has gone is no reason to stop; what a closed stdout means is the dispatcher's business.
  process.stderr.on("error", () => {});
  for await (const block of readBlocks(openInput())) {
    if ("tooLong" in block) {
      total.in++;
      total.failed++;
      await write(process.stderr, jsonError(line++, `longer than ${maxLineBytes} bytes`));
      continue;
    }
    const lines = line === 1 ? withoutBom(block.lines) : block.lines;
    const mapped = mapLines(lines, line, mapping, predicate);
    line += mapped.lines;
    for (const name of Object.keys(total) as (keyof MapCounts)[]) total[name] += mapped.counts[name];
    await write(process.stdout, mapped.out);
    await write(process.stderr, mapped.errors);
  }
  return total;
}

/** Resolves when the stream takes more, or has gone. */
async function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === "" || stream.destroyed || stream.write(text)) return;
  await new Promise<void>((resolve) => {
    const events = ["drain", "error", "close"];
    const done = () => {
      for (const event of events) stream.off(event, done);
      resolve();
    };
    for (const event of events) stream.on(event, done);
  });
}

function readMapping(file: string): Mapping | { readonly errors: readonly FileFinding[] } {
  const rules = readConfigFile(file);
  if ("errors" in rules) return rules;
  try {
    return compileMapping(rules.value);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { errors: error.errors.map(({ path, message }) => ({ ...locate(rules, path), path, message })) };
  }
}

function locate(rules: ConfigFile, path: string) {
  return rules.locate(path === "" ? [] : parseFieldPath(path));
}

/** As text, or as JSON when it begins with `{`. */
function readPredicate(text: string): Predicate {
  try {
    return compilePredicate(text.startsWith("{") ? parseJson(text) : text);
  } catch (error) {
    throw usageError(`--where: ${messageOf(error)}`);
  }
}

/** Large reads from a file; from a pipe what is there. */
function openInput(): AsyncIterable<Buffer> {
  const stdin = fstatSync(0);
  if (stdin.isDirectory()) throw usageError("stdin is a folder, not a file or a pipe");
  return stdin.isFile() ? createReadStream("", { fd: 0, highWaterMark: 256 * 1024 }) : process.stdin;
}
