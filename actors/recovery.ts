import type { LogKind, LogService } from "../runtime/ports/log.ts";
import { type Inspection, type InspectionOptions, inspect, type Logs, subjectsOf } from "./inspection.ts";
import { type Telling, tellLosses } from "./loss.ts";

export interface RecoveryOptions extends InspectionOptions, Telling {
  readonly service: Pick<LogService, "open" | "remove">;
  /** Whoever has the logs opened gives up. */
  readonly signal: AbortSignal;
}

/**
 * Says what was lost of an integration that no run needs now. Nothing is changed. `pause` resolves later, for a second
 * look: what a server says that has just come up may not be its last word.
 */
export async function look(options: RecoveryOptions, pause: () => Promise<void>): Promise<void> {
  // It never ran: there are no logs to look for.
  if ((await options.store.checkpoints.owner(options.integrationId)) === null) return;
  const logs = await openLogs(options);
  try {
    if ((await inspect(options, logs)).losses.length === 0) return;
    await pause();
    tellLosses((await inspect(options, logs)).losses, options);
  } finally {
    await closeLogs(logs);
  }
}

/**
 * Opens the logs for a new owner, says what was lost, and has delivered again what can be. Repeated after a crash it
 * comes to the same, until the store knows the logs' identity.
 */
export async function recover(options: RecoveryOptions): Promise<Inspection & { readonly logs: Logs }> {
  const { integrationId, service } = options;
  let logs: Logs | undefined = await openLogs(options);
  try {
    let inspection = await inspect(options, logs);
    if (olderLogs(inspection).length > 0) {
      // A cluster's new leader may be behind what it is to lead: what is appended comes after all of it.
      const owned = { ingest: await logs.ingest.own(), deliver: await logs.deliver.own() };
      inspection = await inspect(options, logs, owned);
    }
    tellLosses(inspection.losses, options);
    const older = olderLogs(inspection);
    let { identity } = inspection;
    if (older.length > 0) {
      const former = logs;
      logs = undefined;
      await closeLogs(former);
      await service.remove(integrationId, older);
      logs = await openLogs(options);
      const [ingest, deliver] = await Promise.all([logs.ingest.stats(), logs.deliver.stats()]);
      identity = { ingest: ingest.born, deliver: deliver.born };
    }
    for (const { rewinds } of inspection.losses) {
      for (const { log, consumer, from } of rewinds) {
        if (!older.includes(log)) await logs[log].rewind(consumer, subjectsOf(log, consumer), from);
      }
    }
    return { ...inspection, identity, logs };
  } catch (error) {
    if (logs) await closeLogs(logs).catch(() => {});
    throw error;
  }
}

/** Those that are begun anew: their sequences are taken, by settled keys and by deliveries. */
function olderLogs({ losses }: Inspection): readonly LogKind[] {
  const kinds = new Set(losses.map(({ kind }) => kind));
  if (kinds.has("log_older")) return ["ingest", "deliver"];
  return kinds.has("deliver_log_older") ? ["deliver"] : [];
}

async function openLogs({ service, store, integrationId, signal }: RecoveryOptions): Promise<Logs> {
  const owner = await store.checkpoints.owner(integrationId);
  const above = Math.max(0, owner?.epoch ?? 0, ...Object.values(owner?.ends ?? {}));
  const open = (kind: LogKind) => service.open(integrationId, kind, above, signal);
  const ingest = await open("ingest");
  try {
    return { ingest, deliver: await open("deliver") };
  } catch (error) {
    await ingest.close().catch(() => {});
    throw error;
  }
}

export async function closeLogs({ ingest, deliver }: Logs): Promise<void> {
  await Promise.all([ingest.close(), deliver.close()]);
}
