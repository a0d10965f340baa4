import type { OutRecord } from "../connectors/sdk/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { BatchHeader, Log, LogMessage } from "../runtime/ports/log.ts";
import type { Tracing } from "../runtime/ports/telemetry.ts";
import type { Backlog } from "./backlog.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import type { Outlet, Sent } from "./steps.ts";

/** One destination: written right away, guarded by the ingest log's own ack. */
export function directOutlet(id: string, writer: DestinationWriter): Outlet {
  return {
    async send({ header, bytes }, outputs, traceparent): Promise<Sent> {
      const records = outputs.get(id) ?? [];
      const { undelivered, state } = await writer.write(records, { header, bytes, traceparent });
      return { delivered: new Map([[id, { out: records.length - undelivered.length, undelivered }]]), state };
    },
  };
}

/** Several destinations: each has a subject of the deliver log, and takes from it at its own pace. */
export function logOutlet(
  log: Log,
  backlogOf: (destination: string) => Backlog,
  tracing: Tracing,
  signal: AbortSignal,
): Outlet {
  return {
    async send(message, outputs, traceparent): Promise<Sent> {
      await Promise.all(
        Array.from(outputs, async ([destination, records]) => {
          const body = Buffer.from(records.map(({ text }) => text).join("\n"));
          const backlog = backlogOf(destination);
          await backlog.take(body.length, signal);
          const id = `${message.sequence}:${destination}`;
          const attributes = { "sluice.destination": destination, "sluice.records": records.length };
          const span = tracing.start("append", attributes, traceparent);
          const batch = { header: deliverHeader(message, records, span.traceparent), body };
          const landed = await log.append(destination, batch, { id }, signal).catch((error: unknown) => {
            backlog.give(body.length);
            span.end(error);
            throw error;
          });
          span.end();
          // It was there: the room that it takes was taken before.
          if (landed.duplicate) backlog.give(body.length);
        }),
      );
      return { delivered: new Map() };
    },
  };
}

function deliverHeader(
  { header, sequence }: LogMessage,
  records: readonly OutRecord[],
  traceparent: string | undefined,
): BatchHeader {
  const descent = records as readonly PipelineRecord[];
  const origins = descent.map(({ origin }) => origin);
  const children = descent.some(({ child }) => child !== "") ? descent.map(({ child }) => child) : undefined;
  return {
    ...header,
    count: records.length,
    origins,
    ...(children && { children }),
    ingestSequence: sequence,
    ...(traceparent && { traceparent }),
  };
}
