import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { Plugin } from "../../adapters/plugin/index.ts";
import { describeConnector } from "../../connectors/conformance/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice plugin ")));
const fixture = fileURLToPath(new URL("programs/file.ts", import.meta.url));
const plugin = await Plugin.start({
  name: "files",
  plugin: { command: [process.execPath, fixture], env: { SLUICE_PLUGIN_DATA_DIR: folder } },
  logger: noLogger,
});
afterAll(async () => {
  await plugin.stop();
  rmSync(folder, { recursive: true, force: true });
});

const records: JsonObject[] = Array.from({ length: 25 }, (_, id) => ({
  id: String(id),
  name: `Zoë "${id}", the\r\n${id}th`,
  notes: "x".repeat((id * 37) % 300),
}));
const path = (name: string) => join(folder, name);

// What passes in process passes as a program of its own: the contract is one.
describeConnector(plugin.type, async () => {
  await writeFile(path("in.ndjson"), records.map((record) => JSON.stringify(record)).join("\n"));
  return {
    context: { dataDir: folder, fileRoots: [folder] },
    config: { path: folder },
    badConfigs: [{ config: { path: path("missing") }, path: "config.path" }],
    source: { stream: "in.ndjson", mode: "full", records, missing: { stream: "inn.ndjson", path: "source.stream" } },
    destination: {
      stream: "out.ndjson",
      modes: ["append", "replace"],
      exactlyOnce: ["append", "replace"],
      records: records.slice(0, 9),
      stored: async () =>
        (await readFile(path("out.ndjson"), "utf8"))
          .split("\n")
          .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Json])),
      clear: () => rm(path("out.ndjson"), { force: true }),
    },
    close: async () => {},
  };
});
