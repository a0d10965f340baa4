import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { Plugin } from "../../adapters/plugin/index.ts";
import { describeConnector } from "../../connectors/conformance/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { pythonFor } from "../support/python.ts";

const example = fileURLToPath(new URL("../../examples/plugins/sqlite/", import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice sqlite ")));
const file = join(folder, "shop.db");
const { python, path } = await pythonFor(join(example, "requirements.txt"));
const plugin = await Plugin.start({
  name: "sqlite",
  plugin: { command: [python, join(example, "plugin.py")], env: { PYTHONPATH: path } },
  logger: noLogger,
});
afterAll(async () => {
  await plugin.stop();
  rmSync(folder, { recursive: true, force: true });
});

const records: JsonObject[] = Array.from({ length: 25 }, (_, id) => ({
  id,
  name: `Zoë "${id}", the\n${id}th`,
  notes: "x".repeat((id * 37) % 300),
  price: id % 3 === 0 ? null : id + 0.5,
}));

// A program that nobody here helps but with the .proto files keeps the same contract as the built-in types.
describeConnector(plugin.type, async () => {
  const db = new DatabaseSync(file);
  const columns = "(id integer primary key, name text not null, notes text, price real)";
  db.exec(`create table goods ${columns}; create table copies ${columns}; pragma journal_mode = wal`);
  const insert = db.prepare("insert into goods values (?, ?, ?, ?)");
  for (const { id, name, notes, price } of records)
    insert.run(id as number, name as string, notes as string, price as number);
  return {
    context: { dataDir: folder, fileRoots: [] },
    config: { path: file },
    badConfigs: [
      { config: { path: join(folder, "missing.db") }, path: "config.path" },
      { config: { path: fileURLToPath(import.meta.url) }, path: "config.path" },
    ],
    source: { stream: "goods", mode: "full", records, missing: { stream: "good", path: "source.stream" } },
    destination: {
      stream: "copies",
      modes: ["append", "upsert"],
      key: ["id"],
      exactlyOnce: ["upsert"],
      records: records.slice(0, 9),
      refused: { id: 77, name: null },
      stored: async () => db.prepare("select * from copies").all() as JsonObject[],
      clear: async () => {
        db.exec("delete from copies");
      },
    },
    close: async () => db.close(),
  };
});
