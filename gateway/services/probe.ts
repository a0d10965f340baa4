import type { Connector, ErrorCode, Json, StreamInfo } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration } from "../../runtime/config/index.ts";
import { codes, type FieldError, joinPath, messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";

/** How long a far side may take to answer before a check gives up. */
export const probeTimeoutMs = 15_000;

/** What a connector has to say of its failure: one sentence without secrets. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Setting at fault, `config.password` or `source.stream`, where the connector names one. */
  readonly path: string | undefined;
}

/** Reads a ConnectorError, a SluiceError, or anything else that a connector threw. */
export function failureOf(error: unknown): Failure {
  const { code, path } = error as { code?: unknown; path?: unknown };
  const known = typeof code === "string" && Object.hasOwn(codes, code);
  return {
    code: known ? (code as ErrorCode) : "INTERNAL_ERROR",
    message: messageOf(error),
    path: typeof path === "string" ? path : error instanceof SluiceError ? error.errors[0]?.path : undefined,
  };
}

/**
 * Runs a piece of work that is given up after a while, and when `ends` aborts, also where it does not look at its
 * signal.
 */
export async function within<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
  ends?: AbortSignal,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const controller = new AbortController();
  const giveUp = (error: unknown) => {
    controller.abort(error);
    aborted.reject(error);
  };
  const late = () => giveUp(new SluiceError("TIMEOUT", `no answer within ${milliseconds / 1_000} s`));
  const timer = setTimeout(late, milliseconds);
  const ended = () => giveUp(ends?.reason);
  ends?.addEventListener("abort", ended, { once: true });
  try {
    ends?.throwIfAborted();
    return await Promise.race([work(controller.signal), aborted.promise]);
  } finally {
    clearTimeout(timer);
    ends?.removeEventListener("abort", ended);
  }
}

/** The first record of the connector's first stream, or null where it has none or cannot be read. */
export async function sampleRecord(connector: Connector, signal: AbortSignal): Promise<Json> {
  if (connector.openSource === undefined) return null;
  try {
    const [stream] = await connector.discover(signal);
    return stream === undefined ? null : await firstRecord(connector, stream, signal);
  } catch {
    return null; // A sample is a courtesy: the check itself has passed.
  }
}

async function firstRecord(connector: Connector, { name }: StreamInfo, signal: AbortSignal): Promise<Json> {
  const batch = { records: 1, bytes: 1 };
  const source = await connector.openSource!({
    stream: name,
    mode: "full",
    cursorField: undefined,
    from: null,
    batch,
    signal,
  });
  try {
    for await (const { data, count } of source.read()) {
      if (count === 0) continue;
      const [line] = new TextDecoder().decode(data).split("\n", 1);
      return parseJson(line!);
    }
    return null;
  } finally {
    await source.close();
  }
}

/** Opens and closes every source and destination of an integration: what cannot be used is refused before it runs. */
export async function probeIntegration(
  integration: ResolvedIntegration,
  several: { readonly sources: boolean; readonly destinations: boolean },
  connectors: ReadonlyMap<string, Connector>,
): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  const attempt = async (
    path: string,
    side: "source" | "destination",
    open: (signal: AbortSignal) => Promise<void>,
  ) => {
    try {
      await within(probeTimeoutMs, open);
    } catch (error) {
      const failure = failureOf(error);
      errors.push({ path: failurePath(path, side, failure), message: failure.message });
    }
  };

  for (const [index, source] of integration.sources.entries()) {
    const { stream, mode, cursorField, connector: name } = source;
    const connector = connectors.get(name);
    if (connector?.openSource === undefined) continue;
    await attempt(several.sources ? `sources[${index}]` : "source", "source", async (signal) => {
      const { batch } = integration.delivery;
      const endless = integration.trigger.type === "event" && { endless: true };
      const opened = await connector.openSource!({ stream, mode, cursorField, from: null, batch, signal, ...endless });
      await opened.close();
    });
  }
  for (const [index, destination] of integration.destinations.entries()) {
    const { stream, mode, key, connector: name } = destination;
    const connector = connectors.get(name);
    if (connector?.openDestination === undefined) continue;
    await attempt(several.destinations ? `destinations[${index}]` : "destination", "destination", async (signal) => {
      const opened = await connector.openDestination!({ stream, mode, key, runId: "check", state: null, signal });
      await opened.close();
    });
  }
  return errors;
}

/** `source.stream` said of the third source is `sources[2].stream`; a setting of the connector is its connector's. */
function failurePath(end: string, side: string, { path }: Failure): string {
  if (path === undefined) return end;
  if (path === side || path.startsWith(`${side}.`)) return end + path.slice(side.length);
  return path.startsWith("config") ? joinPath(end, "connector") : joinPath(end, path);
}
