import { SluiceError } from "../../runtime/errors/index.ts";
import type { Page, RunListOptions, RunRow, RunSeries } from "../../runtime/ports/store.ts";
import { found, type ServiceContext } from "./context.ts";
import type { RunDetail } from "./resources.ts";

/** Runs, to look at and to end. */
export function historyService({ store, runner }: ServiceContext) {
  return {
    async run(id: string): Promise<RunDetail> {
      const [row, drift] = await Promise.all([store.runs.get(id), store.schemas.drift(id)]);
      const run = found(row, "run", id);
      const running = run.status === "running";
      const integration = running ? await store.integrations.version(run.integrationId, run.integrationVersion) : null;
      return { run, drift, integration };
    },

    /** It ends soon, and its row says so then. CONFLICT where it has ended already. */
    async cancel(id: string): Promise<RunRow> {
      const { status } = found(await store.runs.get(id), "run", id);
      const asked = await store.runs.requestCancel(id);
      if (asked === null)
        throw new SluiceError("CONFLICT", `the run has ended${status === "running" ? "" : `: ${status}`}`);
      runner.cancel(asked);
      return asked;
    },

    /** With what it has come to by now. */
    async series(id: string): Promise<{ readonly run: RunRow; readonly series: RunSeries | null }> {
      const [run, series] = await Promise.all([store.runs.get(id), store.runs.series(id)]);
      return { run: found(run, "run", id), series };
    },

    async runs(integrationId: string, options: RunListOptions): Promise<Page<RunRow>> {
      found(await store.integrations.get(integrationId), "integration", integrationId);
      return store.runs.list(integrationId, options);
    },
  };
}
