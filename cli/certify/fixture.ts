import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { DestinationFixture, Fixture, SourceFixture } from "../../connectors/conformance/suite.ts";
import {
  type Connector,
  type ConnectorContext,
  type ConnectorType,
  type DestinationMode,
  type Json,
  type JsonObject,
  parseExact,
  type SourceMode,
} from "../../connectors/sdk/index.ts";
import { usageError } from "../exit.ts";
import type { CertifyFile } from "./certify-file.ts";

const run = promisify(execFile);
const idle = new AbortController().signal;
const mostRecords = 1_000;
const commandMs = 60_000;

/** What the suite needs, from what the file says. The records of the stream are those that a first reading gives. */
export async function fixtureOf(type: ConnectorType, file: CertifyFile): Promise<Fixture> {
  const { config } = file;
  const context: ConnectorContext = { dataDir: process.cwd(), fileRoots: [] };
  const { bad_configs = [], bad_credentials = [], source, destination, lookup } = file;
  const { source: canRead, destination: canWrite, lookup: canLookUp } = type.capabilities;
  const has = { source: canRead, destination: canWrite, lookup: canLookUp };
  for (const part of ["source", "destination", "lookup"] as const) {
    if (file[part] !== undefined && has[part] === undefined) throw usageError(`${part}: ${type.type} has none`);
  }
  const connector = type.create(config, context);
  try {
    return {
      context,
      config,
      badConfigs: bad_configs.map(({ set, path }) => ({ config: { ...config, ...set }, path })),
      badCredentials: bad_credentials.map((set) => ({ ...config, ...set })),
      ...(source && { source: await sourceOf(connector, type, source, config) }),
      ...(destination && { destination: destinationOf(connector, type, destination, config) }),
      ...(lookup && { lookup }),
      close: async () => {},
    };
  } finally {
    await connector.close();
  }
}

async function sourceOf(
  connector: Connector,
  { capabilities }: ConnectorType,
  { stream, cursor_field, records, missing, large, limited, drift, ...given }: NonNullable<CertifyFile["source"]>,
  config: JsonObject,
): Promise<SourceFixture> {
  const { modes = [] } = capabilities.source ?? {};
  const mode = given.mode ?? modes[0] ?? "full";
  if (!modes.includes(mode)) throw usageError(`source.mode: it reads ${modes.join(", ")}, not ${mode}`);
  const found = await readAll(connector, { stream, mode, cursorField: cursor_field });
  if (found.length === 0) throw usageError(`source.stream: ${stream} has no records`);
  if (records !== undefined && found.length !== records) {
    throw new Error(`stream ${stream} has ${found.length} records, and should have ${records}`);
  }
  return {
    stream,
    mode,
    ...(cursor_field !== undefined && { cursorField: cursor_field }),
    records: found,
    ...(missing !== false && {
      missing: missing ?? { stream: `no_such_stream_${randomUUID().slice(0, 8)}`, path: "source.stream" },
    }),
    ...(large && {
      large: { stream: large.stream ?? stream, ...(large.set && { config: { ...config, ...large.set } }) },
    }),
    ...(limited && { limited: { ...config, ...limited } }),
    ...(drift && { drift: async () => void (await carryOut(drift)) }),
  };
}

function destinationOf(
  connector: Connector,
  { capabilities: { destination: able, source: readable } }: ConnectorType,
  { stream, records, exactly_once, stored, clear, limited, ...given }: NonNullable<CertifyFile["destination"]>,
  config: JsonObject,
): DestinationFixture {
  const modes: readonly DestinationMode[] = given.modes ?? able?.modes ?? [];
  const unable = modes.find((mode) => !able?.modes.includes(mode));
  if (unable !== undefined) throw usageError(`destination.modes: it cannot ${unable}`);
  if (modes.includes("upsert") && !given.key) throw usageError("destination.key is missing, for mode upsert");
  if (stored && "stream" in stored && !readable) throw usageError("destination.stored.stream: it cannot be read");
  let n = 0;
  const numbered = (name: string) => name.replaceAll("{n}", String(n));
  const look = async (): Promise<Json[]> => {
    if (stored && "command" in stored) {
      const lines = (await carryOut(stored.command)).split("\n");
      return lines.flatMap((line) => (line.trim() === "" ? [] : [parseExact(line)]));
    }
    return readAll(connector, { stream: numbered(stored!.stream), mode: "full", cursorField: undefined });
  };
  return {
    get stream() {
      return numbered(stream);
    },
    modes,
    ...(given.key && { key: given.key }),
    records,
    ...(stored && { stored: look }),
    clear: async () => {
      n++;
      if (clear) await carryOut(clear);
    },
    ...(exactly_once && { exactlyOnce: exactly_once }),
    ...(given.refused && { refused: given.refused }),
    ...(limited && { limited: { ...config, ...limited } }),
  };
}

async function readAll(
  connector: Connector,
  options: { readonly stream: string; readonly mode: SourceMode; readonly cursorField: string | undefined },
): Promise<Json[]> {
  const source = await connector.openSource!({
    ...options,
    from: null,
    batch: { records: 500, bytes: 100_000 },
    signal: idle,
  });
  const records: Json[] = [];
  try {
    for await (const { data, count } of source.read()) {
      const texts = count === 0 ? [] : Buffer.from(data).toString().split("\n");
      for (const text of texts) records.push(parseExact(text));
      if (records.length > mostRecords) {
        throw usageError(`stream ${options.stream} has more than ${mostRecords} records: name a small one`);
      }
    }
  } finally {
    await source.close();
  }
  return records;
}

/** What it prints. A command that fails ends the check with what it said. */
async function carryOut([program, ...args]: readonly [string, ...string[]]): Promise<string> {
  const { stdout } = await run(program, args, { timeout: commandMs, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
