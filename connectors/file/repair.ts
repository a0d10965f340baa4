import { gunzipSync } from "node:zlib";
import { ConnectorError } from "../sdk/index.ts";
import { openBytes } from "./bytes.ts";
import type { Format } from "./config.ts";
import { CsvRow } from "./csv-row.ts";
import { JsonReader } from "./json-reader.ts";
import type { Output } from "./output.ts";
import { recordLimit } from "./reader.ts";
import { Window } from "./window.ts";

/** How a gzip member begins. */
const magic = Buffer.from([0x1f, 0x8b, 0x08]);

/**
 * Makes a file of lines fit for more. What a crash tore off in the middle of a record is cut away; a last record that
 * is whole and only lacks its newline stays. Gives what the next write has to begin with.
 */
export async function repairLines(
  output: Output,
  format: Format,
  columns: readonly string[] | undefined,
): Promise<string> {
  const from = Math.max(0, output.length - recordLimit);
  const end = await output.read(from, output.length);
  const line = end.subarray(end.lastIndexOf(0x0a) + 1);
  if (line.length === 0) return "";
  if (line.length === end.length && from > 0) throw refused(output.path, "has a last line that is too long to be one");
  if (format === "csv" ? isRow(line, columns) : isJson(line)) return "\n";
  await output.truncate(output.length - line.length);
  return "";
}

/** The same for gzip, by whole members: every batch was one. */
export async function repairGzip(output: Output): Promise<string> {
  const from = Math.max(0, output.length - recordLimit);
  const end = await output.read(from, output.length);
  if (end.length === 0) return "";
  for (let at = end.lastIndexOf(magic); at !== -1; ) {
    // Of the next member, one or two bytes may be there, which are no beginning to be found.
    for (const torn of [0, 1, 2]) {
      const content = gunzipped(end.subarray(at, end.length - torn));
      if (content === "not gzip") break;
      if (content === "torn") continue;
      if (torn > 0) await output.truncate(output.length - torn);
      return content.at(-1) === 0x0a ? "" : "\n";
    }
    if (gunzipped(end.subarray(at)) === "torn") {
      await output.truncate(from + at);
      return from + at === 0 ? "" : await repairGzip(output);
    }
    if (at === 0) break;
    at = end.lastIndexOf(magic, at - 1);
  }
  return await lastOfLongMember(output.path);
}

/** Where the last whole element of an array ends, and how many there are. */
export interface ArrayEnd {
  readonly bytes: number;
  readonly records: number;
}

/** In bytes of the content, decompressed where it is. */
export async function endOfArray(path: string, compression: "none" | "gzip", signal: AbortSignal): Promise<ArrayEnd> {
  const bytes = await openBytes(path, compression);
  try {
    const window = new Window(bytes, signal, false);
    const aims = { records: 10_000, bytes: 1_000_000 };
    const reader = new JsonReader({ name: path, window, aims, from: null, isComplete: () => true });
    let end = { bytes: 0, records: 0 };
    for (let cut = await reader.next(); cut !== null; cut = await reader.next()) {
      const { place } = cut;
      if (place.sequence) throw refused(path, "holds objects and no array");
      if (place.broken && !reader.isTorn) throw refused(path, "is no well-formed JSON array");
      end = { bytes: place.offset, records: place.element! - (place.broken ? 2 : 1) };
    }
    return end;
  } catch (error) {
    if (compression === "gzip" && (error as ConnectorError).path === "source.stream")
      throw refused(path, "is no whole gzip file", error);
    throw error;
  } finally {
    await bytes.close();
  }
}

function gunzipped(bytes: Buffer): Buffer | "torn" | "not gzip" {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "Z_BUF_ERROR" ? "torn" : "not gzip";
  }
}

/** A member longer than what is looked at, as other programs write them: the file is read through. */
async function lastOfLongMember(path: string): Promise<string> {
  const bytes = await openBytes(path, "gzip");
  try {
    const block = Buffer.alloc(256 * 1024);
    let last = 0x0a;
    for (let count = await bytes.read(block, 0); count > 0; count = await bytes.read(block, 0))
      last = block[count - 1]!;
    return last === 0x0a ? "" : "\n";
  } catch (error) {
    throw refused(path, "is no whole gzip file", error);
  } finally {
    await bytes.close();
  }
}

function isJson(line: Buffer): boolean {
  try {
    JSON.parse(line.toString());
    return true;
  } catch {
    return false;
  }
}

function isRow(line: Buffer, columns: readonly string[] | undefined): boolean {
  const row = new CsvRow();
  row.parse(line, 0, true);
  return row.problem === undefined && row.next === line.length && row.fields.length === columns?.length;
}

function refused(path: string, why: string, cause?: unknown): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", `${path} ${why}, so nothing can be appended to it.`, {
    fault: "destination",
    path: "destination.stream",
    cause,
  });
}
