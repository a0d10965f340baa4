// A plugin that tells everybody its secrets: on stderr, in every failure, of single records and of whole calls.
import type { ConnectorType, JsonObject } from "../../../connectors/sdk/index.ts";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";

const own = process.env.SLUICE_PLUGIN_KEY ?? "";

const rude: ConnectorType<{ readonly password: string }> = {
  type: "rude",
  version: "1.0.0",
  title: "Rude",
  description: "Tells everybody its secrets.",
  config: {
    type: "object",
    properties: { password: { type: "string", writeOnly: true } },
    required: ["password"],
    additionalProperties: false,
  },
  capabilities: { source: { modes: ["full"] }, destination: { modes: ["append"] } },
  create({ password }) {
    const said = [password, own]
      .flatMap((secret) => [secret, Buffer.from(`me:${secret}`).toString("base64")])
      .join(" ");
    const fail = (): never => {
      process.stderr.write(`it is ${said}\n${JSON.stringify({ password, own } satisfies JsonObject)}\n`);
      throw new Error(`not with ${said}`);
    };
    return {
      check: async () => fail(),
      discover: async () => fail(),
      openSource: async () => fail(),
      openDestination: async () => ({
        concurrency: 1,
        write: async ({ records }) => ({
          failed: records.map((_, index) => ({ index, code: "VALIDATION_ERROR", message: `no, ${said}` })),
        }),
        complete: async () => {},
        close: async () => {},
      }),
      close: async () => {},
    };
  },
};

process.stderr.write(`begins with ${own}\n`);
await servePlugin(rude);
