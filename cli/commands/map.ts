import { createReadStream, fstatSync } from "node:fs";
import type { Readable } from "node:stream";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import {
  compileMapping,
  compilePredicate,
  type Mapping,
  type Predicate,
  parseFieldPath,
  type RunScript,
} from "../../runtime/mapping/index.ts";
import { type Decoded, decodeText, parseJson } from "../../runtime/record/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { type ConfigFile, type FileFinding, readConfigFile } from "../config-file.ts";
import { exitCode, usageError } from "../exit.ts";
import { note } from "../output.ts";
import { maxLineBytes, readBlocks, withoutBom } from "./map-blocks.ts";
import { jsonError, type MapCounts, type MappedLines, mapLines, mapScriptedLines } from "./map-lines.ts";

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
  if (!mapping.scripted && predicate?.script === undefined) {
    return mapBlocks(0, (decoded, first) => mapLines(decoded, first, mapping, predicate));
  }
  // Loaded where it is used: a filter program starts fast.
  const { createSandbox } = await import("../../adapters/isolate/index.ts");
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  const run: RunScript = (script, calls) => sandbox.run("map", script, calls, signal);
  try {
    return await mapBlocks(blocksInSandbox, (decoded, first) =>
      mapScriptedLines(decoded, first, mapping, predicate, run),
    );
  } finally {
    await sandbox.close();
  }
}

/** While the sandbox has these, further ones are read and parsed, and what it gave is written. */
const blocksInSandbox = 4;

/** Maps blocks of lines, of which some may be in hand at once, and writes what they give in their order. */
async function mapBlocks(
  inHand: number,
  map: (decoded: Decoded, first: number) => MappedLines | Promise<MappedLines>,
): Promise<MapCounts> {
  const total: MapCounts = { in: 0, out: 0, filtered: 0, failed: 0 };
  const input = openInput();
  let line = 1;
  let last = Promise.resolve();
  const writes: Promise<void>[] = [];
  // A reader of stderr that has gone is no reason to stop; what a closed stdout means is the dispatcher's business.
  process.stderr.on("error", () => {});
  for await (const block of readBlocks(input)) {
    let mapped: MappedLines | Promise<MappedLines>;
    if ("tooLong" in block) {
      const counts: MapCounts = { in: 1, out: 0, filtered: 0, failed: 1 };
      mapped = { out: "", errors: jsonError(line++, `longer than ${maxLineBytes} bytes`), counts };
    } else {
      const decoded = decodeText(line === 1 ? withoutBom(block.lines) : block.lines);
      mapped = map(decoded, line);
      line += decoded.values.length;
    }
    last = Promise.all([mapped, last]).then(async ([{ out, errors, counts }]) => {
      for (const name of Object.keys(total) as (keyof MapCounts)[]) total[name] += counts[name];
      await write(process.stdout, out);
      await write(process.stderr, errors);
    });
    // Waiting for more input, nobody else would hear of it.
    last.catch((error: Error) => input.destroy(error));
    if (writes.push(last) > inHand) await writes.shift();
  }
  await last;
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
function openInput(): Readable {
  const stdin = fstatSync(0);
  if (stdin.isDirectory()) throw usageError("stdin is a folder, not a file or a pipe");
  return stdin.isFile() ? createReadStream("", { fd: 0, highWaterMark: 256 * 1024 }) : process.stdin;
}
