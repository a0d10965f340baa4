import type {
  Connector,
  ConnectorContext,
  ConnectorType,
  Destination,
  DestinationOptions,
  Json,
  Source,
  SourceOptions,
  StreamInfo,
} from "../sdk/index.ts";
import { inferSchema } from "../sdk/index.ts";
import { type FileConfig, fileConfig } from "./config.ts";
import { openFileDestination } from "./destination.ts";
import { Folder } from "./folder.ts";
import { FileSource, sample } from "./source.ts";

export type { FileConfig } from "./config.ts";

/** Files of a folder; see docs/connectors/file.md. */
export const file: ConnectorType<FileConfig> = {
  type: "file",
  version: "1.0.0",
  title: "Files",
  description: "Reads and writes files of a folder: lines of JSON, JSON arrays and CSV with a header, also gzipped.",
  config: fileConfig,
  capabilities: {
    source: { modes: ["full", "incremental"], ownCursor: true },
    destination: { modes: ["append", "replace"] },
  },
  create: (config, context) => new FileConnector(config, context),
};

/** What `discover` looks at: files of a folder, and records of each. */
const [filesLooked, recordsLooked] = [1_000, 100];

class FileConnector implements Connector {
  readonly #config: FileConfig;
  readonly #folder: Folder;

  constructor(config: FileConfig, context: ConnectorContext) {
    this.#config = config;
    this.#folder = new Folder(config, context);
  }

  async check(): Promise<void> {
    await this.#folder.check();
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    await this.#folder.check();
    const names = (await this.#folder.list()).slice(0, filesLooked);
    const streams: StreamInfo[] = [];
    for (const name of names) {
      signal.throwIfAborted();
      const aims = { records: recordsLooked, bytes: 16 * 1024 * 1024 };
      // A file that cannot be read, or is none of ours, is a stream all the same: openSource says what is wrong.
      const texts = await sample(this.#folder, this.#config, name, aims, signal).catch(() => null);
      streams.push({ name, schema: inferSchema(texts ? parsed(texts) : []) });
    }
    return streams;
  }

  async openSource(options: SourceOptions): Promise<Source> {
    await this.#folder.check();
    return await FileSource.open(this.#config, this.#folder, options);
  }

  async openDestination(options: DestinationOptions): Promise<Destination> {
    await this.#folder.check();
    return await openFileDestination(this.#config, this.#folder, options);
  }

  async close(): Promise<void> {}
}

/** The texts that are JSON, parsed. */
function parsed(texts: Buffer): Json[] {
  return texts
    .toString()
    .split("\n")
    .flatMap((text) => {
      try {
        const value = JSON.parse(text) as Json;
        // A record that could not be read stands there as null.
        return value === null ? [] : [value];
      } catch {
        return [];
      }
    });
}
