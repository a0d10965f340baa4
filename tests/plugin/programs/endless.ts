import { batchOf, type ConnectorType, type Cursor, type Source } from "../../../connectors/sdk/index.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";

/** A source without an end: its second record says what it was told to be stored. */
function endlessSource(endless: boolean): Source {
  const told = Promise.withResolvers<Cursor>();
  async function* read() {
    yield batchOf([{ endless }], { at: 1 }, { base: "b", offset: 1 });
    yield batchOf([{ stored: await told.promise }], { at: 2 }, { base: "b", offset: 2 });
  }
  return { read, stored: told.resolve, close: async () => {} };
}

const type: ConnectorType = {
  type: "endless",
  version: "1.0.0",
  title: "Endless",
  description: "Is read without an end.",
  config: { type: "object", additionalProperties: false },
  capabilities: { source: { modes: ["incremental"], ownCursor: true, endless: true } },
  create: () => ({
    check: async () => {},
    discover: async () => [],
    openSource: async ({ endless = false }) => endlessSource(endless),
    close: async () => {},
  }),
};

await servePlugin(type);
