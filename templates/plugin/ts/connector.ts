import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import {
  BatchBuilder,
  type Connector,
  ConnectorError,
  type ConnectorType,
  type Destination,
  type DestinationOptions,
  type Source,
  type SourceOptions,
  type WriteBatch,
} from "@sluice/connector-sdk";

// This connector reads and writes files of JSON lines in a folder. Put your own far side in its place.

const ending = ".ndjson";

interface Config {
  readonly folder: string;
}

export const connector: ConnectorType<Config> = {
  type: "my-connector",
  version: "1.0.0",
  title: "My connector",
  description: "Files of JSON lines in a folder.",
  config: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    additionalProperties: false,
    required: ["folder"],
    properties: { folder: { type: "string", minLength: 1, description: "The folder; must exist." } },
  },
  capabilities: { source: { modes: ["full"] }, destination: { modes: ["append"] } },
  create: ({ folder }) => new Folder(folder),
};

/** Where a file is read: the cursor. */
interface Place {
  readonly [name: string]: number;
  readonly line: number;
  readonly byte: number;
}

class Folder implements Connector {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async check(): Promise<void> {
    const found = await stat(this.#folder).catch(() => undefined);
    if (found?.isDirectory()) return;
    const message = `${this.#folder} is no folder.`;
    throw new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path: "config.folder" });
  }

  async discover() {
    await this.check();
    const files = (await readdir(this.#folder)).filter((name) => name.endsWith(ending)).sort();
    return files.map((name) => ({ name: name.slice(0, -ending.length), schema: { type: "object" } }));
  }

  async openSource({ stream, from, batch, signal }: SourceOptions): Promise<Source> {
    const file = await open(this.#file(stream)).catch(() => {
      const message = `There is no stream ${stream}.`;
      throw new ConnectorError("NOT_FOUND", message, { fault: "destination", path: "source.stream" });
    });
    const begin = (from as Place | null) ?? { line: 0, byte: 0 };
    async function* read() {
      const builder = new BatchBuilder(stream, batch);
      let { line, byte } = begin;
      for await (const text of linesOf(file, byte)) {
        signal.throwIfAborted();
        line++;
        byte += Buffer.byteLength(text) + 1;
        const full = text.trim() === "" ? undefined : builder.add(text.trim(), line, { line, byte });
        if (full) yield full;
      }
      const rest = builder.flush();
      if (rest) yield rest;
    }
    return { read, close: () => file.close() };
  }

  async openDestination({ stream }: DestinationOptions): Promise<Destination> {
    const file = await open(this.#file(stream), "a").catch((error: Error) => {
      throw new ConnectorError("VALIDATION_ERROR", error.message, { fault: "destination", path: "config.folder" });
    });
    return {
      // One batch at a time keeps their order.
      concurrency: 1,
      write: async ({ records }: WriteBatch) => {
        const good = records.filter(({ text }) => text.startsWith("{"));
        await file.appendFile(good.map(({ text }) => `${text}\n`).join(""));
        // What is confirmed is durable.
        await file.datasync();
        const failed = records.flatMap((record, index) =>
          good.includes(record)
            ? []
            : [{ index, code: "VALIDATION_ERROR" as const, message: "A record is an object." }],
        );
        return { failed };
      },
      complete: async () => {},
      close: () => file.close(),
    };
  }

  async close(): Promise<void> {}

  #file(stream: string): string {
    return path.join(this.#folder, path.basename(stream) + ending);
  }
}

/** The lines from a byte on. One without its end is still being written. */
async function* linesOf(file: FileHandle, start: number): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest = "";
  for await (const chunk of file.createReadStream({ start, autoClose: false })) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
