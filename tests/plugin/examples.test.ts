import { execFile } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Report } from "../../cli/certify/report.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { sluice } from "../cli/sluice.ts";
import { certifyArguments, demandDocumented } from "../support/certify.ts";
import { serve } from "../support/http-server.ts";
import { pythonFor } from "../support/python.ts";
import { installExample } from "../support/sdk.ts";
import { tempDir } from "../support/temp-dir.ts";

const run = promisify(execFile);
const examples = fileURLToPath(new URL("../../examples/plugins/", import.meta.url));

/** As a connector's author does it. */
async function certify(cwd: string, file: string, ...command: string[]): Promise<void> {
  const { stdout, stderr } = await sluice(
    ["plugin", "certify", ...certifyArguments, "--config", file, "--json", "--", ...command],
    { cwd },
  );
  expect(stderr).toBe("");
  demandDocumented(JSON.parse(stdout) as Report);
}

test("the example in Python, which has nothing of ours but the .proto files, is certified", {
  timeout: 600_000,
}, async () => {
  const folder = tempDir();
  for (const name of ["certify.yaml", "certify.sql"]) cpSync(join(examples, "sqlite", name), join(folder, name));
  const db = new DatabaseSync(join(folder, "certify.db"));
  db.exec(readFileSync(join(folder, "certify.sql"), "utf8"));
  db.close();
  const { python, path } = await pythonFor(join(examples, "sqlite", "requirements.txt"));
  const full = `
import json, sqlite3
from plugin import pb, records, written
db = sqlite3.connect(":memory:")
db.execute("create table t (n integer unique)")
def write(*rows):
    data = records.Records(data="\\n".join(rows).encode(), count=len(rows))
    return written(db, ["n"], pb.WriteOpen(stream="t"), pb.WriteBatch(id=1, records=data))
alone = write('{"n":1}', '{"n":1}', '{"n":99999999999999999999}', "{}")
db.execute("pragma max_page_count = 4")
full = write(*('{"n":%d}' % n for n in range(2, 9999)))
kept = db.execute("select count(*) from t").fetchone()[0]
print(json.dumps([[each.index for each in alone.failed], records.Fault.Name(full.failure.fault), len(full.failed), kept]))`;
  const env = { ...process.env, PYTHONPATH: [join(examples, "sqlite"), path].join(delimiter) };
  // A full disk is no record's fault, and nothing of its batch is there.
  expect(JSON.parse((await run(python, ["-B", "-c", full], { env })).stdout)).toEqual([
    [1, 2, 3],
    "FAULT_DESTINATION",
    0,
    1,
  ]);
  await certify(folder, "certify.yaml", "env", `PYTHONPATH=${path}`, python, join(examples, "sqlite", "plugin.py"));
});

test("the example in Go, which has nothing of ours but the .proto files, is certified", {
  timeout: 600_000,
}, async () => {
  const folder = join(tempDir(), "bolt");
  const template = fileURLToPath(new URL("../../templates/plugin/go/", import.meta.url));
  cpSync(join(examples, "bolt"), folder, { recursive: true });
  cpSync(join(template, "gen"), join(folder, "gen"), { recursive: true });
  // What speaks the protocol is what a new plugin gets.
  for (const name of ["main.go", "plugin.go"]) {
    expect(readFileSync(join(folder, name), "utf8")).toBe(readFileSync(join(template, name), "utf8"));
  }
  await run("go", ["build", "-o", "plugin", "."], { cwd: folder });
  await run("go", ["run", "./seed", "certify.bolt"], { cwd: folder });
  await certify(folder, "certify.yaml", "./plugin");
});

test("the example in TypeScript reads a real API in under 40 lines, and is certified", {
  timeout: 600_000,
}, async () => {
  const code = readFileSync(join(examples, "shop-api", "plugin.ts"), "utf8");
  expect(code.split("\n").filter((line) => line.trim() !== "").length).toBeLessThan(40);
  const token = "the token of the shop";
  const orders: JsonObject[] = Array.from({ length: 23 }, (_, id) => ({
    id,
    total: id * 1.5,
    notes: "x".repeat((id * 41) % 300),
    updated_at: `2024-05-01T10:00:${String(id).padStart(2, "0")}Z`,
  }));
  let calls = 0;
  let colour = {};
  const server = await serve(({ path, query, headers }) => {
    if (headers.authorization !== `Bearer ${token}`) return { status: 401, body: { message: "who are you?" } };
    if (path.startsWith("/limited") && calls++ % 2 === 0) return { status: 429, headers: { "retry-after": "0" } };
    const since = query.get("updated_since") ?? "";
    const found = orders.filter((order) => (order.updated_at as string) >= since);
    const [start, limit] = [Number(query.get("after") ?? 0), 7];
    const data = found.slice(start, start + limit).map((order) => ({ ...order, ...colour }));
    if (path.endsWith("/drift")) colour = { colour: "red" };
    if (path.endsWith("/customers")) return { body: [] };
    return { body: { data, next: start + limit < found.length ? start + limit : null } };
  });
  const copy = await installExample("shop-api", tempDir());
  const drift = `fetch("${server.url}/drift", { headers: { authorization: "Bearer ${token}" } }).then((a) => a.text())`;
  const file = {
    config: { url: server.url, token },
    bad_configs: [
      { set: { url: "nonsense" }, path: "config" },
      { set: { url: "http://127.0.0.1:1" }, path: "config" },
    ],
    bad_credentials: [{ token: "another token" }],
    source: {
      stream: "orders",
      mode: "incremental",
      cursor_field: "updated_at",
      records: orders.length,
      limited: { url: `${server.url}/limited` },
      drift: [process.execPath, "-e", drift],
    },
  };
  writeFileSync(join(copy, "certify.json"), JSON.stringify(file));
  await certify(copy, "certify.json", process.execPath, "plugin.ts");
  await server.close();
});
