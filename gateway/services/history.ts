import type { Page, PageOptions, RunRow, RunStatus } from "../../runtime/ports/store.ts";
import { found, type ServiceContext } from "./context.ts";
import type { RunDetail } from "./resources.ts";

/** Runs, to look at. */
export function historyService({ store }: ServiceContext) {
  return {
    async run(id: string): Promise<RunDetail> {
      const [run, drift] = await Promise.all([store.runs.get(id), store.schemas.drift(id)]);
      return { run: found(run, "run", id), drift };
    },

    async runs(integrationId: string, options: PageOptions & { status: RunStatus | null }): Promise<Page<RunRow>> {
      found(await store.integrations.get(integrationId), "integration", integrationId);
      return store.runs.list(integrationId, options);
    },
  };
}
