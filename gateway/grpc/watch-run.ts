import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { Services } from "../services/index.ts";
import { runDetailResource } from "../services/resources.ts";

/** A run's row changes about once a second. */
const lookMs = 500;

/** The run as it is, again after each change, and last as it ended. */
export async function* watchRun(
  id: string,
  history: Services["history"],
  signal: AbortSignal,
): AsyncGenerator<JsonObject> {
  for (let told = ""; ; ) {
    const run = runDetailResource(await history.run(id));
    const text = JSON.stringify(run);
    if (text !== told) yield run;
    if (run.status !== "running") return;
    told = text;
    await delay(lookMs, undefined, { signal });
  }
}
