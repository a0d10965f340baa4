import { realpathSync } from "node:fs";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { file } from "../connectors/file/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import { recordsOf, type SourceRecord } from "../runtime/preview/index.ts";
import { decodeText } from "../runtime/record/index.ts";
import { usageError } from "./exit.ts";

/**
 * The first records of a file: lines of JSON, or, by its ending, a JSON array (.json) or CSV with a header (.csv), also
 * gzipped. `-` is stdin, lines of JSON. Throws a usage error where there is no such file.
 */
export async function readRecords(name: string, limit: number): Promise<readonly SourceRecord[]> {
  if (name === "-") return linesOf(await buffer(process.stdin)).slice(0, limit);
  const records: SourceRecord[] = [];
  try {
    const whole = realpathSync(name);
    const folder = path.dirname(whole);
    const connector = file.create({ path: folder }, { dataDir: folder, fileRoots: [folder] });
    const source = await connector.openSource!({
      stream: path.basename(whole),
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: { records: limit, bytes: 1024 * 1024 },
      signal: new AbortController().signal,
    });
    try {
      for await (const batch of source.read()) {
        records.push(...recordsOf(batch));
        if (records.length >= limit) break;
      }
    } finally {
      await source.close();
      await connector.close();
    }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw usageError(`${name}: ${missing ? "there is no such file" : messageOf(error)}`);
  }
  return records.slice(0, limit);
}

function linesOf(bytes: Uint8Array): SourceRecord[] {
  const { values, failures } = decodeText(bytes);
  const failed = new Map(failures.map((failure) => [failure.index, failure]));
  return values.flatMap((value, index) => {
    const failure = failed.get(index);
    if (failure?.blank) return [];
    const position = { base: "stdin", ordinal: index + 1 };
    return [{ position, value, ...(failure !== undefined && { message: failure.message }) }];
  });
}
