import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { TappedRecord } from "../../runtime/ports/taps.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { refuse } from "../services/context.ts";
import type { Services } from "../services/index.ts";

/** Records as they pass, until there were as many as are wanted, or nobody reads any more. */
export async function* tapRecords(
  id: string,
  { step = null, destination = null, filter = null, limit }: JsonObject,
  tap: Services["tap"],
  signal: AbortSignal,
): AsyncGenerator<JsonObject> {
  if (limit !== undefined && (limit as number) < 1) refuse([{ path: "limit", message: "must be 1 or more" }]);
  let left = (limit as number | undefined) ?? Number.POSITIVE_INFINITY;
  const wanted = { step, destination, where: filter } as Parameters<typeof tap>[1];
  for await (const { records, skipped } of tap(id, wanted, signal)) {
    const shown = records.slice(0, left);
    yield { records: shown.map(shownRecord), skipped };
    left -= shown.length;
    if (left === 0) return;
  }
}

function shownRecord({ point, at, recordId, to, text, size, failure }: TappedRecord): JsonObject {
  return {
    point,
    at,
    record_id: recordId,
    ...(to !== undefined && { to }),
    record: text === null ? null : parseJson(text),
    size,
    ...(failure && {
      failure: {
        code: failure.code,
        message: failure.message,
        ...(failure.retryInMs !== undefined && { retry_in_ms: Math.round(failure.retryInMs) }),
      },
    }),
  } as { [name: string]: Json };
}
