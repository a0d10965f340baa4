import type { OutRecord } from "../connectors/sdk/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { BatchHeader, Log, LogMessage } from "../runtime/ports/log.ts";
import type { Backlog } from "./backlog.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import type { Outlet, Sent } from "./steps.ts";

/** One destination: written right away, guarded by the ingest log's own ack. */
export function directOutlet(id: string, writer: DestinationWriter): Outlet {
  return {
    async send(message, outputs): Promise<Sent> {
      const records = outputs.get(id) ?? [];
      const { undelivered, state } = await writer.write(records, message);
      return { delivered: new Map([[id, { out: records.length - undelivered.length, undelivered }]]), state };
    },
  };
}

/** Several destinations: each has a subject of the deliver log, and takes from it at its own pace. */
export function logOutlet(log: Log, backlogOf: (destination: string) => Backlog, signal: AbortSignal): Outlet {
  return {
    async send(message, outputs): Promise<Sent> {
      await Promise.all(
        Array.from(outputs, async ([destination, records]) => {
          const body = Buffer.from(records.map(({ text }) => text).join("\n"));
          const backlog = backlogOf(destination);
          await backlog.take(body.length, signal);
          const id = `${message.sequence}:${destination}`;
          const batch = { header: deliverHeader(message, records), body };
          const landed = await log.append(destination, batch, { id }, signal).catch((error: unknown) => {
            backlog.give(body.length);
            throw error;
          });
          // It was there: the room that it takes was taken before.
          if (landed.duplicate) backlog.give(body.length);
        }),
      );
      return { delivered: new Map() };
    },
  };
}

function deliverHeader({ header, sequence }: LogMessage, records: readonly OutRecord[]): BatchHeader {
  const origins = (records as readonly PipelineRecord[]).map(({ origin }) => origin);
  return { ...header, count: records.length, origins, ingestSequence: sequence };
}
