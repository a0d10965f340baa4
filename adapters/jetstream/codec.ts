import type { ReadFailure } from "../../connectors/sdk/index.ts";
import type { BatchHeader, HookHeader, LogBatch, ReplayedLetter, ReplayHeader } from "../../runtime/ports/log.ts";
import { headerBytesMax } from "../../runtime/ports/log.ts";

/**
 * The wire format of a batch (docs/decisions/0002-wire-format.md).
 *
 * NATS header `Sluice-Batch`: one character of version, then JSON: the batch's header without what it holds for each
 * record, `sidecar` (bytes at the payload's end) and `claim` (where the payload went to the claim store).
 * Payload: the body as it is, then the sidecar, if any: JSON with what there is for each record.
 */
export const batchHeaderName = "Sluice-Batch";

/** A server keeps at most 64 KiB of headers; ids and expectations need some of it. What the steps add takes little. */
const maxHeaderLength = headerBytesMax + 2_048;

export interface WireBatch {
  /** Value of the NATS header `Sluice-Batch`. */
  readonly header: string;
  readonly payload: Uint8Array;
}

export interface WireHeader extends Omit<BatchHeader, "position" | "origins" | "children" | "replay" | "correlations"> {
  readonly replay?: Omit<ReplayHeader, "letters">;
  readonly position: { readonly base: string; readonly offset: number };
  /** Bytes of the sidecar at the payload's end. */
  readonly sidecar?: number;
  /** Where the payload is, when the message has none. */
  readonly claim?: string;
}

interface Sidecar {
  readonly ordinals?: BatchHeader["position"]["ordinals"] | undefined;
  readonly origins?: readonly number[] | undefined;
  readonly children?: readonly string[] | undefined;
  readonly correlations?: BatchHeader["correlations"];
  readonly hookHeaders?: HookHeader["headers"];
  readonly letters?: readonly ReplayedLetter[] | undefined;
  /** `raw` in base64. */
  readonly failures?: readonly (Omit<ReadFailure, "raw"> & { readonly raw: string })[] | undefined;
}

/** Copies the body only where a sidecar follows it. RangeError when the cursor is too large for a header. */
export function encodeBatch(batch: LogBatch): WireBatch {
  const { origins, children, correlations, position, replay: replayed, hooks, ...header } = batch.header;
  const { headers: hookHeaders, ...hooked } = hooks ?? {};
  const { letters, ...replay } = replayed ?? {};
  const { ordinals, ...place } = position;
  let payload = batch.body;
  let sidecar: number | undefined;
  const aside = { ordinals, origins, children, correlations, letters, hookHeaders };
  if (batch.failures !== undefined || Object.values(aside).some((each) => each !== undefined)) {
    const failures = batch.failures?.map((f) => ({ ...f, raw: Buffer.from(f.raw).toString("base64") }));
    const side = Buffer.from(JSON.stringify({ ...aside, failures } satisfies Sidecar));
    payload = Buffer.concat([payload, side]);
    sidecar = side.length;
  }
  const parts = { ...header, position: place, sidecar, ...(replayed && { replay }), ...(hooks && { hooks: hooked }) };
  const text = `1${JSON.stringify(parts)}`;
  if (Buffer.byteLength(text) > maxHeaderLength) {
    throw new RangeError(`the header of a batch may have ${maxHeaderLength} bytes; its cursor is too large`);
  }
  return { header: text, payload };
}

/** The header that refers to a payload kept in the claim store. */
export function withClaim(header: string, claim: string): string {
  return `1${JSON.stringify({ ...readHeader(header), claim })}`;
}

/** Reads the value of the NATS header `Sluice-Batch`. */
export function readHeader(text: string): WireHeader {
  // Later versions get a case here; what was written stays readable for as long as logs are kept.
  if (text[0] !== "1") throw new Error(`a batch of format "${text.slice(0, 1)}", which this version does not read`);
  return JSON.parse(text.slice(1), mayLoseDigits.test(text) ? keepDigits : undefined);
}

/** The batch's header; without ordinals, origins and dead letters, which only the payload has. */
export function batchHeader({ sidecar: _sidecar, claim: _claim, replay, ...header }: WireHeader): BatchHeader {
  return replay === undefined ? header : { ...header, replay: { ...replay, letters: [] } };
}

/** `payload` is the message's, or the one its claim refers to. The body is a view of it. */
export function decodeBatch(wire: WireHeader, payload: Uint8Array): LogBatch {
  const header = batchHeader(wire);
  if (wire.sidecar === undefined) return { header, body: payload };
  const length = payload.length - wire.sidecar;
  const side: Sidecar = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset + length, wire.sidecar).toString());
  const { ordinals, origins, children, correlations, letters, hookHeaders, failures } = side;
  return {
    header: {
      ...header,
      ...(ordinals && { position: { ...header.position, ordinals } }),
      ...(origins && { origins }),
      ...(children && { children }),
      ...(correlations && { correlations }),
      ...(hookHeaders && { hooks: { ...header.hooks, headers: hookHeaders } }),
      ...(letters && wire.replay && { replay: { ...wire.replay, letters } }),
    },
    body: payload.subarray(0, length),
    ...(failures && {
      failures: failures.map((f) => ({ ...f, raw: new Uint8Array(Buffer.from(f.raw, "base64")) })),
    }),
  };
}

const mayLoseDigits = /[\d.]{16}|\d[eE]/;

/** A cursor may hold a number that a double cannot: it stays a `JSON.rawJSON` (see Json). */
function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined || JSON.stringify(value) === context.source) {
    return value;
  }
  return JSON.rawJSON(context.source);
}
