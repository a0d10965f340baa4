import { createReadStream, fstatSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { maxLineBytes, readBlocks, withoutBom } from "./map-blocks.ts";
import { createLineMapper, jsonError, type LineMapper, type MapCounts } from "./map-lines.ts";
import { Output, OutputClosed } from "./map-output.ts";
import { parseRulesFile } from "./map-rules.ts";

const usage = "usage: sluice map --spec RULES [--where PREDICATE] [--stats] < in.ndjson > out.ndjson";

interface MapOptions {
  readonly mapLines: LineMapper;
  readonly stats: boolean;
}

/** `sluice map`: the mapping engine as a filter program. Exit code 0, 1 when a record failed, 2 for bad rules. */
export async function map(argv: string[]): Promise<number> {
  let options: MapOptions;
  try {
    options = configure(argv);
  } catch (error) {
    process.stderr.write(`sluice map: ${messageOf(error)}\n`);
    return 2;
  }
  const input = openInput();
  try {
    return await mapInput(input, options);
  } catch (error) {
    // Whoever read has what they wanted (`| head`).
    if (error instanceof OutputClosed) return 0;
    throw error;
  } finally {
    input.destroy();
  }
}

async function mapInput(input: AsyncIterable<Uint8Array>, { mapLines, stats }: MapOptions): Promise<number> {
  const start = performance.now();
  const output = new Output();
  const total: MapCounts = { in: 0, out: 0, filtered: 0, failed: 0 };
  let line = 1;
  for await (const block of readBlocks(input)) {
    if ("tooLong" in block) {
      await output.writeError(jsonError(line++, `longer than ${maxLineBytes} bytes`));
      total.in++;
      total.failed++;
      continue;
    }
    const mapped = mapLines(line === 1 ? withoutBom(block.lines) : block.lines, line);
    line += mapped.lines;
    for (const name of Object.keys(total) as (keyof MapCounts)[]) total[name] += mapped.counts[name];
    await output.write(mapped.out);
    await output.writeError(mapped.errors);
  }
  await output.flush();
  if (stats) {
    const seconds = Math.round(performance.now() - start) / 1000;
    await output.writeError(`${JSON.stringify({ ...total, seconds })}\n`);
  }
  return total.failed > 0 ? 1 : 0;
}

/** Throws when the arguments, the rules or the predicate are not in order. */
function configure(argv: string[]): MapOptions {
  const options = { spec: { type: "string" }, where: { type: "string" }, stats: { type: "boolean" } } as const;
  const values = inContext("", usage, () => parseArgs({ args: argv, options, allowPositionals: false }).values);
  const { spec, where } = values;
  if (spec === undefined) throw new Error(`--spec is missing\n${usage}`);
  const rules = inContext(`${spec}: `, "", () => parseRulesFile(readFileSync(spec, "utf8")));
  // Each part by itself first, so that an error says where it is.
  inContext(`${spec}: `, "", () => createLineMapper(rules, undefined));
  const predicate = where === undefined ? undefined : inContext("--where: ", "", () => parseWhere(where));
  return {
    mapLines: inContext("--where: ", "", () => createLineMapper(rules, predicate)),
    stats: values.stats === true,
  };
}

function parseWhere(text: string): unknown {
  return text.startsWith("{") ? parseJson(text) : text;
}

/** Does it, or throws with all that was wrong, one line each. */
function inContext<T>(before: string, after: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const several = error instanceof SluiceError ? error.errors : [];
    const lines = several.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
    const text = (lines.length > 0 ? lines : [messageOf(error)]).map((line) => before + line).join("\n");
    throw new Error(after === "" ? text : `${text}\n${after}`);
  }
}

/** Large reads from a file; from a pipe what is there. */
function openInput() {
  return fstatSync(0).isFile()
    ? createReadStream("", { fd: 0, highWaterMark: 256 * 1024, autoClose: false })
    : process.stdin;
}
