import { expect, test } from "vitest";
import { noLogger } from "../runtime/ports/logger.ts";
import type { IntegrationRow } from "../runtime/ports/store.ts";
import { UnknownLogs, type UnknownLogsOptions } from "./unknown-logs.ts";

test("logs of a deleted integration go, those of one that the store forgot stay and are told of once", async () => {
  const removed: string[] = [];
  const told: string[] = [];
  const waited: string[] = [];
  const integrations = {
    all: async () => [{ id: "here" } as IntegrationRow],
    removed: async (ids: readonly string[]) => ids.filter((id) => id === "deleted"),
  };
  const unknown = new UnknownLogs({
    store: { integrations } as unknown as UnknownLogsOptions["store"],
    logs: {
      all: async () => ["here", "deleted", "forgotten"].filter((id) => !removed.includes(id)),
      remove: async (id) => void removed.push(id),
    },
    metrics: { lossFound: (integration, kind) => void told.push(`${kind} ${integration}`) },
    logger: noLogger,
  });
  const look = () => unknown.look(async (id) => void waited.push(id));
  await look();
  await look();
  expect(removed).toEqual(["deleted"]);
  expect(waited).toEqual(["deleted"]);
  expect(told).toEqual(["integration_forgotten forgotten"]);
});
