import type { Correlation } from "../../connectors/sdk/index.ts";

/** What the owner of an integration is asked, to take records that were sent to it. */
export const hookAsk = "hooks";

/** A record that was sent to an integration, by whichever node it came to. */
export interface HookRecord {
  /** JSON in UTF-8, without LF. */
  readonly text: Uint8Array;
  /** As of `hookId`; null: it has none, and is another one each time. */
  readonly id: string | null;
  /** Headers of the request that go along, with names in lower case; null: none. */
  readonly headers: Readonly<Record<string, string>> | null;
  readonly correlation: Correlation | null;
}

/** About how many bytes a record takes on its way to the log: one of two digits may carry 4 KiB of headers. */
export function sizeOf({ text, headers }: HookRecord): number {
  let bytes = text.length;
  for (const name in headers) bytes += name.length + 2 * (headers[name] as string).length + 6;
  return bytes;
}

/** What became of a record, a byte for each in the owner's answer. */
export const Outcome = {
  /** It is not in the log, as far as is known. */
  refused: 0,
  /** It is in the log. */
  stored: 1,
  /** One with its id is in the log. */
  duplicate: 2,
} as const;

type Head = readonly [
  length: number,
  id: string | null,
  headers: HookRecord["headers"],
  correlation: Correlation | null,
];

/** The length of a head of JSON in 4 bytes, the head, and the texts. */
export function encodeHooks(records: readonly HookRecord[]): Uint8Array {
  const heads = records.map(({ text, id, headers, correlation }): Head => [text.length, id, headers, correlation]);
  const head = Buffer.from(JSON.stringify(heads));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...records.map(({ text }) => text)]);
}

/** The texts are views of `data`. */
export function decodeHooks(data: Uint8Array): HookRecord[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  let at = 4 + bytes.readUInt32BE();
  const heads: readonly Head[] = JSON.parse(bytes.toString("utf8", 4, at));
  return heads.map(([length, id, headers, correlation]) => {
    const text = bytes.subarray(at, at + length);
    at += length;
    return { text, id, headers, correlation };
  });
}
