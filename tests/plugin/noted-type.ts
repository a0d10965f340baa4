import { setTimeout as delay } from "node:timers/promises";
import { batchOf, type Connector, ConnectorError, type ConnectorType } from "../../connectors/sdk/index.ts";

interface NotedConfig {
  readonly secret?: string;
  /** Records that it has, and milliseconds between two batches of ten. */
  readonly count?: number;
  readonly pause?: number;
}

/** Records say which version they are of; what becomes of its connectors is noted. */
export function noted(version: string, note: (line: string) => void, type = "noted"): ConnectorType<NotedConfig> {
  return {
    type,
    version,
    title: "Noted",
    description: "Counts, and notes what becomes of its connectors.",
    config: {
      type: "object",
      properties: {
        secret: { type: "string", writeOnly: true },
        count: { type: "integer" },
        pause: { type: "integer" },
      },
      additionalProperties: false,
    },
    capabilities: { source: { modes: ["full"] }, lifecycle: true },
    create: (config) => connectorOf(config, version, note),
  };
}

function connectorOf({ secret, count = 10, pause = 0 }: NotedConfig, version: string, note: (line: string) => void) {
  const connector: Connector = {
    async check() {
      console.error(`checking with ${secret}`);
      if (secret?.startsWith("wrong"))
        throw new ConnectorError("UNAUTHORIZED", `${secret} is refused`, {
          fault: "destination",
          path: "config.secret",
        });
    },
    discover: async () => [{ name: "numbers", schema: {} }],
    async openSource({ from, batch, signal }) {
      const size = Math.min(10, batch.records);
      return {
        async *read() {
          for (let n = Number(from ?? 0); n < count; n += size) {
            await delay(pause, undefined, { signal });
            const records = Array.from({ length: Math.min(size, count - n) }, (_, i) => ({ n: n + i, version }));
            yield batchOf(records, n + records.length, { base: "numbers", offset: n });
          }
        },
        close: async () => {},
      };
    },
    created: async () => note(`created ${secret}`),
    updated: async (previous) => note(`updated ${(previous as NotedConfig).secret} to ${secret}`),
    deleted: async () => note(`deleted ${secret}`),
    close: async () => {},
  };
  return connector;
}
