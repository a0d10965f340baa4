import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { installSdk } from "../support/sdk.ts";
import { tempDir } from "../support/temp-dir.ts";

const run = promisify(execFile);
const tsc = fileURLToPath(new URL("../../node_modules/@typescript/native/bin/tsc", import.meta.url));

// A project that has nothing of this one but what npm would have put there.
const folder = tempDir((remove) => process.once("exit", remove));
const main = `
import { batchOf, type ConnectorType, inferSchema } from "@sluice/connector-sdk";
import { apiSource } from "@sluice/connector-sdk/http";
import { servePlugin } from "@sluice/connector-sdk/serve";

const type: ConnectorType = {
  type: "one",
  version: "1.0.0",
  title: "One",
  description: "One record.",
  config: { type: "object", additionalProperties: false },
  capabilities: { source: { modes: ["full"] } },
  create: () => ({
    check: async () => {},
    discover: async () => [{ name: "one", schema: inferSchema([{ id: 1 }]) }],
    openSource: async ({ from }) => ({
      read: async function* () {
        if (from === null) yield batchOf([{ id: 1 }], 1, { base: "one", offset: 1 });
      },
      close: async () => {},
    }),
    close: async () => {},
  }),
};
const { address, stop } = await servePlugin(type);
await stop();
process.stderr.write(JSON.stringify({ made: typeof apiSource, isSocket: address.startsWith("unix:") }));
process.exit(0);
`;

beforeAll(async () => {
  await installSdk(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "main.ts"), main);
  const options = { module: "nodenext", target: "es2022", strict: true, types: ["node"], outDir: "out" };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["main.ts"] }));
  await run(process.execPath, [tsc, "-p", folder]).catch(({ stdout }: { stdout: string }) => expect(stdout).toBe(""));
});

/** The Node that runs this, and an older one where the machine has it. */
const nodes = [process.execPath, "/usr/bin/node", "/usr/local/bin/node"].filter((path) => existsSync(path));

test.each(nodes)("a plugin of the packed SDK, built against its types, runs on %s", async (node) => {
  const { stdout, stderr } = await run(node, [join(folder, "out", "main.js")]);
  expect(JSON.parse(stdout)).toMatchObject({ sluice: 1, address: expect.stringMatching(/^unix:/) });
  expect(stderr).toBe('{"made":"function","isSocket":true}');
});
