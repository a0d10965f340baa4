import type { Connector } from "../../connectors/sdk/index.ts";
import type { ResolvedSource } from "../config/index.ts";
import { SluiceError } from "../errors/index.ts";
import { recordsOf, type SourceRecord } from "./source-record.ts";

/** Few large records are as good a sample as many small ones. */
const maxBytes = 4 * 1024 * 1024;

/** The first records of a source, read from its start; its cursor is not touched. Rejects as the connector does. */
export async function sampleSource(
  connector: Connector,
  { connector: name, stream, mode, cursorField }: ResolvedSource,
  records: number,
  signal: AbortSignal,
): Promise<readonly SourceRecord[]> {
  if (connector.openSource === undefined) throw new SluiceError("VALIDATION_ERROR", `connector ${name} is no source`);
  const batch = { records, bytes: 1024 * 1024 };
  const source = await connector.openSource({ stream, mode, cursorField, from: null, batch, signal });
  const found: SourceRecord[] = [];
  let bytes = 0;
  try {
    for await (const read of source.read()) {
      found.push(...recordsOf(read).map((record) => ({ ...record, stream })));
      bytes += read.data.byteLength;
      if (found.length >= records || bytes >= maxBytes) break;
    }
  } finally {
    await source.close();
  }
  return found.slice(0, records);
}
