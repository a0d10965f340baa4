import { access, constants, stat } from "node:fs/promises";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Cursor, ReadBatch, Source, SourceOptions } from "../sdk/index.ts";
import { ConnectorError } from "../sdk/index.ts";
import { type Bytes, openBytes } from "./bytes.ts";
import { type FileConfig, type Format, formatOf } from "./config.ts";
import { CsvReader } from "./csv-reader.ts";
import { fileError } from "./file-error.ts";
import type { Folder } from "./folder.ts";
import { JsonReader } from "./json-reader.ts";
import { NdjsonReader } from "./ndjson-reader.ts";
import { type Aims, type Place, type ReaderOptions, type RecordReader, tailOf } from "./reader.ts";
import { Window } from "./window.ts";

/** How many files an incremental stream may have: each has its place in every cursor. */
const incrementalFiles = 1_000;
/** Places that are longer as JSON go into the cursor deflated, in Base64: a batch's header has to hold it. */
const plainLength = 8_192;
/** A last row without a newline is taken for complete once the file was left alone for so long. */
const quietMs = 60_000;

const readers = { ndjson: NdjsonReader, json: JsonReader, csv: CsvReader } satisfies {
  [F in Format]: new (
    options: ReaderOptions,
  ) => RecordReader;
};

/** What a cursor holds: the place in the file being read, and in mode incremental those in all files read before. */
interface FileCursor extends Place {
  readonly file: string;
  readonly done?: Places | string;
}

interface Places {
  readonly [file: string]: Place;
}

export class FileSource implements Source {
  readonly #config: FileConfig;
  readonly #folder: Folder;
  readonly #options: SourceOptions;
  readonly #files: readonly string[];
  readonly #places: Map<string, Place>;
  #open: Bytes | undefined;

  private constructor(
    config: FileConfig,
    folder: Folder,
    options: SourceOptions,
    files: readonly string[],
    places: Map<string, Place>,
  ) {
    this.#config = config;
    this.#folder = folder;
    this.#options = options;
    this.#files = files;
    this.#places = places;
  }

  static async open(config: FileConfig, folder: Folder, options: SourceOptions): Promise<FileSource> {
    const { stream, mode, from } = options;
    const found = await folder.find(stream);
    if (found.length === 0 && mode === "full")
      throw refused("NOT_FOUND", `No file in ${folder.path} matches "${stream}".`);
    for (const name of found) {
      const path = await folder.fileAt(name, "source.stream");
      await access(path, constants.R_OK).catch((error: unknown) => {
        throw fileError(error, path, "source.stream");
      });
    }
    const { file, places } = placesOf(from);
    if (mode === "incremental") {
      if (found.length > incrementalFiles) {
        throw refused(
          "VALIDATION_ERROR",
          `"${stream}" matches ${found.length} files; incremental reads ${incrementalFiles}.`,
        );
      }
      // Files come and go: those that are gone longest are forgotten where there would be too many.
      const gone = [...new Set(places.keys()).difference(new Set(found))];
      const many = found.length + gone.length - incrementalFiles;
      for (const name of gone.slice(0, Math.max(0, many))) places.delete(name);
      return new FileSource(config, folder, options, found, places);
    }
    if (file !== undefined && !found.includes(file)) {
      throw refused("NOT_FOUND", `${folder.path}/${file} was being read and is gone.`);
    }
    // In mode full, files are read in the order of their names: those before the cursor's were read whole.
    const rest = file === undefined ? found : found.filter((name) => name >= file);
    return new FileSource(config, folder, options, rest, places);
  }

  async *read(): AsyncGenerator<ReadBatch> {
    for (const file of this.#files) {
      try {
        yield* this.#readFile(file);
      } finally {
        await this.close();
      }
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  async *#readFile(file: string): AsyncGenerator<ReadBatch> {
    const { batch: aims, signal, mode } = this.#options;
    const path = await this.#folder.fileAt(file, "source.stream");
    const format = formatOf(this.#config, file);
    const isQuiet = Date.now() - (await stat(path)).mtimeMs > quietMs;
    const isComplete = (line: Buffer) => mode === "full" || (format === "ndjson" ? isObject(line) : isQuiet);
    const from = await this.#checked(path, this.#places.get(file) ?? null);
    const window = new Window(
      (this.#open = await openBytes(path, this.#config.compression)),
      signal,
      format === "ndjson",
    );
    // The header of a CSV file is read first in any case.
    if (from && format !== "csv") await window.skipTo(from.offset);
    const reader = new readers[format]({ name: path, window, aims, from, isComplete });
    const { [file]: _, ...others } = mode === "incremental" ? Object.fromEntries(this.#places) : {};
    let done: Pick<FileCursor, "done"> | undefined;
    for (let cut = await reader.next(); cut !== null; cut = await reader.next()) {
      signal.throwIfAborted();
      const { data, count, first, ordinals, failures, place } = cut;
      this.#places.set(file, place);
      done ??= Object.keys(others).length > 0 ? { done: packed(others) } : {};
      yield {
        data,
        count,
        cursor: { file, ...place, ...done } as unknown as Cursor,
        position: { base: file, offset: first, ...(ordinals ? { ordinals } : {}) },
        ...(failures ? { failures } : {}),
      };
    }
  }

  /** The place, or null (read it all) where the file is no longer the one that the place was in. */
  async #checked(path: string, place: Place | null): Promise<Place | null> {
    if (place === null) return null;
    const [length, crc] = place.tail;
    const bytes = (this.#open = await openBytes(path, this.#config.compression));
    const window = new Window(bytes, this.#options.signal, false);
    await window.skipTo(place.offset - length);
    while (!window.ended && window.view.length < length) await window.slide(0);
    await this.close();
    const isSame = window.view.length >= length && tailOf(window.view, length)[1] === crc;
    return isSame ? place : null;
  }
}

/** The records of a file's beginning, as texts. */
export async function sample(
  folder: Folder,
  config: FileConfig,
  file: string,
  aims: Aims,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const path = await folder.fileAt(file, "source.stream");
  const bytes = await openBytes(path, config.compression);
  try {
    const window = new Window(bytes, signal, false);
    const reader = new readers[formatOf(config, file)]({
      name: path,
      window,
      aims,
      from: null,
      isComplete: () => true,
    });
    const cut = await reader.next();
    return cut && Buffer.from(cut.data);
  } finally {
    await bytes.close();
  }
}

function placesOf(cursor: Cursor): { file: string | undefined; places: Map<string, Place> } {
  if (cursor === null) return { file: undefined, places: new Map() };
  const { file, done = {}, ...place } = cursor as unknown as FileCursor;
  const others = typeof done === "string" ? unpacked(done) : done;
  return { file, places: new Map([...Object.entries(others), [file, place]]) };
}

function packed(places: Places): Places | string {
  const text = JSON.stringify(places);
  return text.length > plainLength ? deflateRawSync(text, { level: 1 }).toString("base64") : places;
}

function unpacked(text: string): Places {
  return JSON.parse(inflateRawSync(Buffer.from(text, "base64")).toString()) as Places;
}

function refused(code: "NOT_FOUND" | "VALIDATION_ERROR", message: string): ConnectorError {
  return new ConnectorError(code, message, { fault: "destination", path: "source.stream" });
}

/** A JSON object that is whole cannot go on: nothing that follows on its line would leave it JSON. */
function isObject(line: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(line.toString());
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
