import { hash } from "node:crypto";
import type { Json } from "../connectors/sdk/index.ts";
import type { Undelivered } from "../runtime/delivery/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { BatchHeader, Log, LogMessage } from "../runtime/ports/log.ts";
import type { Tracing } from "../runtime/ports/telemetry.ts";
import type { Backlog } from "./backlog.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import type { Processed } from "./ledger.ts";

/** Where records go after the steps: a destination right away, or a deliver log for each. */
export interface Outlet {
  /** The next batch goes through the steps when this one is safe further on. */
  readonly holdsTurn?: boolean;
  open(message: LogMessage, traceparent: string | undefined): Delivery;
}

/** What one batch becomes, on its way. */
export interface Delivery {
  /** A promise asks for patience: enough is under way. `part` as in Flow. */
  send(destination: string, records: readonly PipelineRecord[], part: string | undefined): void | Promise<void>;
  /** Resolves when each record is safe further on, or given up. */
  end(): Promise<Sent>;
}

export interface Sent {
  /** Undefined where a deliver log took the records over: they are counted when they leave it; or where there were none. */
  readonly delivered?:
    | { readonly destination: string; readonly out: number; readonly undelivered: readonly FailedDelivery[] }
    | undefined;
  /** The destination's state after these records. */
  readonly state?: Json | undefined;
  /** Idempotency keys that were confirmed. */
  readonly processed?: readonly Processed[] | undefined;
}

export interface FailedDelivery extends Omit<Undelivered, "index"> {
  readonly destination: string;
  readonly record: PipelineRecord;
}

/** Pieces of one batch under way to a destination, where a step cut it up. */
const piecesAtOnce = 4;

/** One destination: written right away, guarded by the ingest log's own ack. */
export function directOutlet(id: string, writer: Pick<DestinationWriter, "write" | "flush">): Outlet {
  return {
    open({ header, bytes, deliveries }, traceparent) {
      let out = 0;
      let state: Json | undefined;
      const undelivered: FailedDelivery[] = [];
      const processed: Processed[] = [];
      const writes = new Set<Promise<void>>();
      const urgent = header.invoked !== undefined;
      /** Stands for the message where it is cut up. */
      const cut = {};
      let pieces = 0;
      /** Held back until it is known whether another one comes. */
      let first: readonly PipelineRecord[] | undefined;
      const write = async (records: readonly PipelineRecord[], cutFrom: object | undefined) => {
        const size = sizeOf(records, header, bytes);
        const delivered = await writer.write(records, {
          header,
          bytes: size,
          origin: { parent: traceparent },
          deliveries,
          cutFrom,
          urgent,
        });
        out += records.length - delivered.undelivered.length;
        for (const { index, ...failure } of delivered.undelivered) {
          undelivered.push({ ...failure, destination: id, record: records[index] as PipelineRecord });
        }
        if (delivered.state !== undefined) state = delivered.state;
        if (delivered.processed) processed.push(delivered.processed);
      };
      const begin = (records: readonly PipelineRecord[], cutFrom?: object) => {
        const written = write(records, cutFrom);
        writes.add(written);
        // Failures are met at the end.
        written.then(() => writes.delete(written)).catch(() => {});
      };
      return {
        send(_destination, records) {
          if (++pieces === 1) {
            first = records;
            return;
          }
          if (first) begin(first, cut);
          first = undefined;
          begin(records, cut);
          if (writes.size < piecesAtOnce) return;
          // Nothing more comes of this batch before some of it is written.
          writer.flush();
          return Promise.race(writes);
        },
        async end() {
          if (first) begin(first);
          await Promise.all(writes);
          const delivered = out + undelivered.length > 0 ? { destination: id, out, undelivered } : undefined;
          return { delivered, state, processed };
        },
      };
    },
  };
}

/** As text; an estimate. Where a step made many records of few, of the first. */
function sizeOf(records: readonly PipelineRecord[], { count }: BatchHeader, bytes: number): number {
  const [first] = records;
  return first?.child === "" ? Math.ceil((bytes * records.length) / count) : (first?.text.length ?? 0) * records.length;
}

export interface LogOutletOptions {
  readonly log: Log;
  readonly backlogOf: (destination: string) => Backlog;
  readonly tracing: Tracing;
  readonly signal: AbortSignal;
  /** What is in the log is in the order of the ingest log, whatever fails on the way. */
  readonly ordered: boolean;
  /** The steps make the same of a message again. Where they do not, what is repeated may go to other destinations. */
  readonly repeatable: (header: BatchHeader) => boolean;
}

/** Several destinations: each has a subject of the deliver log, and takes from it at its own pace. */
export function logOutlet({ log, backlogOf, tracing, signal, ordered, repeatable }: LogOutletOptions): Outlet {
  return {
    holdsTurn: ordered,
    open(message, traceparent) {
      const isRepeatable = repeatable(message.header);
      const appendPiece = async (destination: string, piece: Piece, whole: number | undefined) => {
        const { records } = piece;
        const part = isRepeatable ? piece.part : versionOf(piece);
        const parts = isRepeatable ? whole : undefined;
        const body = Buffer.from(records.map(({ text }) => text).join("\n"));
        const backlog = backlogOf(destination);
        await backlog.take(body.length, signal);
        const id = `${message.sequence}:${destination}${part === undefined ? "" : `:${part}`}`;
        const attributes = { "sluice.destination": destination, "sluice.records": records.length };
        const span = tracing.start("append", attributes, { parent: traceparent });
        const batch = { header: deliverHeader(message, records, part, parts, span.traceparent), body };
        const landed = await log.append(destination, batch, { id }, signal).catch((error: unknown) => {
          backlog.give(body.length);
          span.end(error);
          throw error;
        });
        span.end();
        // It was there: the room that it takes was taken before.
        if (landed.duplicate) backlog.give(body.length);
      };
      const lasts = new Map<string, Promise<void>>();
      const append: typeof appendPiece = (destination, piece, parts) => {
        if (!ordered) return appendPiece(destination, piece, parts);
        const before = lasts.get(destination) ?? Promise.resolve();
        const appended = before.then(() => appendPiece(destination, piece, parts));
        lasts.set(destination, appended);
        return appended;
      };
      /** By destination the last piece, held back until it is known whether another one comes, and how many went before. */
      const held = new Map<string, Piece & { readonly before: number }>();
      return {
        send(destination, records, part) {
          const last = held.get(destination);
          held.set(destination, { records, part, before: last ? last.before + 1 : 0 });
          return last && append(destination, { records: last.records, part: last.part ?? "" }, undefined);
        },
        async end() {
          // The end of a run is the last part of what its windows gave.
          const after = message.header.kind === "end" ? 1 : 0;
          await Promise.all(
            Array.from(held, ([destination, { records, part, before }]) =>
              before + after === 0
                ? append(destination, { records, part: undefined }, undefined)
                : append(destination, { records, part: part ?? "" }, before + 1 + after),
            ),
          );
          return {};
        },
      };
    },
  };
}

/**
 * Tells what was made of a message once from what is made of it again with other records: each is delivered, and none is
 * taken for the other. See `isVersion`.
 */
function versionOf({ records, part = "" }: Piece): string {
  const those = records.map(({ origin, child }) => (child === "" ? origin : `${origin}:${child}`)).join(" ");
  return `${part}#${hash("sha256", those, "base64url").slice(0, 16)}`;
}

interface Piece {
  readonly records: readonly PipelineRecord[];
  readonly part: string | undefined;
}

function deliverHeader(
  { header, sequence }: LogMessage,
  records: readonly PipelineRecord[],
  part: string | undefined,
  parts: number | undefined,
  traceparent: string | undefined,
): BatchHeader {
  const { hooks: _, ...kept } = header;
  const origins = records.map(({ origin }) => origin);
  const children = records.some(({ child }) => child !== "") ? records.map(({ child }) => child) : undefined;
  return {
    ...kept,
    kind: "records",
    count: records.length,
    origins,
    ...(children && { children }),
    ingestSequence: sequence,
    ...(part !== undefined && { part }),
    ...(parts !== undefined && { parts }),
    ...(traceparent && { traceparent }),
  };
}
