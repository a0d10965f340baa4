import { expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { ConnectorType, JsonObject } from "../../connectors/sdk/index.ts";
import { Redactor } from "../../runtime/config/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { createConnectorRegistry } from "./connector-registry.ts";

/** Says what it is given, and fails. */
const echo: ConnectorType = {
  type: "echo",
  version: "1.0.0",
  title: "Echo",
  description: "Says what it is given.",
  config: {
    type: "object",
    properties: { says: { type: "string" }, password: { type: "string", writeOnly: true } },
  },
  capabilities: {},
  create: (config) => {
    const { says } = config as { says: string };
    const fails = async (): Promise<never> => {
      throw new Error(says);
    };
    return { provider: "echo", check: fails, discover: fails, close: async () => {} };
  },
};

/** What a connector of this owner says of a text. */
async function world() {
  const redactor = new Redactor({ shortest: 6 });
  redactor.add("password of the node");
  const registry = createConnectorRegistry({
    types: [echo],
    context: { dataDir: "/", fileRoots: [], expressions },
    validator: createValidator(),
    sealer: { unseal: async (_, sealed) => JSON.parse(new TextDecoder().decode(sealed)) as JsonObject },
    resolveReference: async () => "",
    redactor,
  });
  return async (owner: string | null, password: string, says: string) => {
    const sealed = new TextEncoder().encode(JSON.stringify({ password }));
    const row = { id: "i", type: "echo", config: { says, password: "***" }, sealed, owner };
    const connector = await registry.open(row);
    const error = await connector.check(new AbortController().signal).catch((thrown: Error) => thrown);
    return { error: (error as Error).message, log: redactor.redact(says) };
  };
}

test("nobody finds out a secret of another team by sending guesses through a connector of their own", async () => {
  const said = await world();
  await said("sales", "sales-secret-1", "nothing");
  await said("finance", "finance-secret", "nothing");
  await said(null, "platform-secret", "nothing");
  const guesses = "sales-secret-1, sales-secret-2, finance-secret, platform-secret, password of the node";
  const { error, log } = await said("sales", "sales-secret-2", guesses);
  // Its own, and those that its team has elsewhere.
  expect(error).toBe("***, ***, finance-secret, platform-secret, password of the node");
  // The node's log shows none of them.
  expect(log).toBe("***, ***, ***, ***, ***");
  // Who sees everything may read no secret either, and is told of none.
  expect((await said(null, "another-one", guesses)).error).toBe("***, ***, ***, ***, ***");
});
