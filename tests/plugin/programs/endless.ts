import {
  batchOf,
  type ConnectorType,
  type Cursor,
  type Json,
  parseExact,
  type Source,
} from "../../../connectors/sdk/index.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";

/** A place that a double does not hold. */
const place = (at: string): Json => parseExact(`{"at":${at}}`);

/** A source without an end: its first record says where it begins, its second what it was told to be stored. */
function endlessSource(endless: boolean, from: Cursor | null): Source {
  const told = Promise.withResolvers<Cursor>();
  async function* read() {
    yield batchOf([{ endless, from }], place("1700000000000000199"), { base: "b", offset: 1 });
    yield batchOf([{ stored: await told.promise }], place("9007199254740993"), { base: "b", offset: 2 });
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
    openSource: async ({ endless = false, from }) => endlessSource(endless, from),
    close: async () => {},
  }),
};

await servePlugin(type);
