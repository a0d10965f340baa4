import {
  type Connector,
  type Cursor,
  type Json,
  parseExact,
  type ReadBatch,
  type Source,
  type SourceOptions,
} from "../sdk/index.ts";
import type { SourceFixture } from "./fixture.ts";

export const defaultAims = { records: 500, bytes: 100_000 };

/** Opens the fixture's stream, from its beginning and with the usual aims unless told otherwise. */
export function open(
  connector: Connector,
  source: SourceFixture,
  options: Partial<Pick<SourceOptions, "from" | "batch" | "signal" | "stream">> = {},
): Promise<Source> {
  return connector.openSource!({
    stream: source.stream,
    mode: source.mode,
    cursorField: source.cursorField,
    from: null,
    batch: defaultAims,
    signal: new AbortController().signal,
    ...options,
  });
}

/** All batches that remain from a cursor on. */
export async function readAll(
  connector: Connector,
  source: SourceFixture,
  from: Cursor | null = null,
  batch = defaultAims,
): Promise<ReadBatch[]> {
  const opened = await open(connector, source, { from, batch });
  const batches: ReadBatch[] = [];
  try {
    for await (const read of opened.read()) batches.push(read);
  } finally {
    await opened.close();
  }
  return batches;
}

export function textsOf(batch: ReadBatch): string[] {
  return batch.count === 0 ? [] : Buffer.from(batch.data).toString().split("\n");
}

export function recordsOf(batches: readonly ReadBatch[]): Json[] {
  return batches.flatMap((batch) => textsOf(batch).map((text) => parseExact(text)));
}

/** What identifies each record of a batch. */
export function idsOf(batch: ReadBatch): string[] {
  const { base, offset, ordinals } = batch.position;
  return Array.from({ length: batch.count }, (_, index) => `${base}#${ordinals?.[index] ?? offset + index}`);
}
