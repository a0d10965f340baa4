import type {
  DeadLetterDetail,
  DeadLetterRow,
  Page,
  PageOptions,
  RunRow,
  RunStatus,
} from "../../runtime/ports/store.ts";
import { found, type ServiceContext } from "./context.ts";
import type { RunDetail } from "./resources.ts";

/** Runs and dead letters, to look at. */
export function historyService({ store }: ServiceContext) {
  const known = async (integrationId: string) =>
    found(await store.integrations.get(integrationId), "integration", integrationId);

  return {
    async run(id: string): Promise<RunDetail> {
      const [run, drift] = await Promise.all([store.runs.get(id), store.schemas.drift(id)]);
      return { run: found(run, "run", id), drift };
    },

    async runs(integrationId: string, options: PageOptions & { status: RunStatus | null }): Promise<Page<RunRow>> {
      await known(integrationId);
      return store.runs.list(integrationId, options);
    },

    deadLetter: async (id: string): Promise<DeadLetterDetail> =>
      found(await store.deadLetters.get(id), "dead letter", id),

    async deadLetters(
      integrationId: string,
      options: PageOptions & { resolved: boolean | null },
    ): Promise<Page<DeadLetterRow>> {
      await known(integrationId);
      return store.deadLetters.list(integrationId, options);
    },
  };
}
