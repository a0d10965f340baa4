import { randomUUIDv7 } from "node:crypto";
import { control } from "../actors/node.ts";
import type { Durability, Runner } from "../gateway/services/index.ts";
import { isEndless, resolveIntegration } from "../runtime/config/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import type { Cron } from "../runtime/ports/cron.ts";

export interface RunnerOptions {
  readonly cluster: Cluster;
  readonly cron: Cron;
  readonly durability: Durability;
}

/** What the gateway asks of the nodes: the store holds what is to be done, a message says that it is there. */
export function createRunner({ cluster, cron, durability }: RunnerOptions): Runner {
  const listeners: (() => void)[] = [];
  cluster.subscribe(control.changed, () => {
    for (const listener of listeners) listener();
  });
  return {
    durability,
    nodes: () => cluster.members().length,
    async start(integrationId, trigger, store) {
      const integration = await store.integrations.get(integrationId);
      if (!integration) throw new SluiceError("NOT_FOUND", `there is no integration ${integrationId}`);
      const { type } = resolveIntegration(integration.spec).trigger;
      const endless = isEndless(type);
      const run = await store.runs.create({
        id: randomUUIDv7(),
        integrationId,
        integrationVersion: integration.version,
        // Whoever opened it, it goes on without an end.
        trigger: endless ? type : trigger,
        onlyIfIdle: true,
      });
      if (!run) {
        const why = endless ? `: it is read all the time (trigger ${type}), and each hour has a run` : "";
        throw new SluiceError("CONFLICT", `a run of ${integration.name} is under way${why}`);
      }
      cluster.publish(control.wake, integrationId);
      return run;
    },
    cancel: ({ id: runId, integrationId }) => cluster.publish(control.cancel, { integrationId, runId }),
    changed(integrationIds) {
      for (const listener of listeners) listener();
      cluster.publish(control.changed, [...integrationIds]);
    },
    onChanged: (listener) => void listeners.push(listener),
    nextFire(row, after = new Date()) {
      if (!row.enabled) return null;
      const { trigger } = resolveIntegration(row.spec);
      return trigger.type === "schedule" ? cron.next(trigger.cron, trigger.timezone, after) : null;
    },
  };
}
