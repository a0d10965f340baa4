// A plugin that notes what each of its calls is told of the request that set it going.
import { appendFileSync } from "node:fs";
import { batchOf, type ConnectorType, type Correlation } from "../../../connectors/sdk/index.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";
import { span } from "../../../connectors/sdk/spans.ts";

const notes = process.env.SLUICE_PLUGIN_NOTES as string;
const note = (call: string, correlation: Correlation | undefined) =>
  appendFileSync(notes, `${JSON.stringify({ call, ...correlation })}\n`);

const told: ConnectorType = {
  type: "told",
  version: "1.0.0",
  title: "Told",
  description: "Counts to six, and notes what it is told.",
  config: { type: "object", additionalProperties: false },
  capabilities: {
    source: { modes: ["full"] },
    destination: { modes: ["append"] },
    lookup: { request: { type: "object", properties: { n: {} }, additionalProperties: false } },
  },
  create: () => ({
    check: async (_signal, correlation) => note("check", correlation),
    discover: async (_signal, correlation) => {
      note("discover", correlation);
      return [{ name: "numbers", schema: {} }];
    },
    async openSource({ from, correlation }) {
      note("read", correlation);
      return {
        async *read() {
          if (from !== null) return;
          const records = [1, 2, 3, 4, 5, 6].map((n) => ({ n }));
          yield await span("plugin reads", async () => batchOf(records, 6, { base: "numbers", offset: 0 }));
        },
        close: async () => {},
      };
    },
    async openDestination({ correlation }) {
      note("open", correlation);
      return {
        concurrency: 1,
        write: (batch) =>
          span("plugin writes", async () => {
            note("write", batch.correlation);
            return {};
          }),
        complete: async () => {},
        close: async () => {},
      };
    },
    async lookup(requests, _signal, correlation) {
      note("lookup", correlation);
      return { answers: requests.map(() => ({ found: true })) };
    },
    close: async () => {},
  }),
};
await servePlugin(told);
