import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sluice as onNode } from "../support/cli.ts";
import { sharedNode } from "../support/node.ts";
import { writeProgram } from "../support/noted-program.ts";
import { tempDir } from "../support/temp-dir.ts";
import { sluice } from "./sluice.ts";

const config = (folder = ".") => `connectors:
  - { name: in, type: file, config: { path: ${JSON.stringify(folder)} } }
integrations:
  - name: orders
    source: { connector: in, stream: orders.ndjson }
    destinations:
      - { id: big, connector: in, stream: big.ndjson, needs: [by-size] }
      - { id: rest, connector: in, stream: rest.ndjson, needs: [by-size] }
    pipeline_spec:
      steps:
        - { id: paid, type: filter, where: $.paid == true }
        - { id: lines, type: split, path: lines, as: line, keep_parent: true }
        - { id: m, type: map }
        - { id: t, type: transform, script: "(record) => ({ ...record, twice: record.qty * 2 })" }
        - { id: by-size, type: route, routes: [ { to: big, where: $.qty > 10 } ], otherwise: rest }
    mapping_spec:
      - { source: $.id, destination: id }
      - { source: $.line.qty, destination: qty, cast: integer }
`;

const orders = `{"id":1,"paid":true,"lines":[{"qty":"3"},{"qty":"30"}]}
{"id":2,"paid":false}
broken
{"id":4,"paid":true,"lines":[{"qty":"x"}]}
`;

const text = `orders.ndjson:1  delivered
  record   {"id":1,"paid":true,"lines":[{"qty":"3"},{"qty":"30"}]}
  paid     =
  lines    0 {"id":1,"paid":true,"line":{"qty":"3"}}
           1 {"id":1,"paid":true,"line":{"qty":"30"}}
  m        0 {"id":1,"qty":3}
           1 {"id":1,"qty":30}
  t        0 {"id":1,"qty":3,"twice":6}
           1 {"id":1,"qty":30,"twice":60}
  by-size  0 → rest {"id":1,"qty":3,"twice":6}
           1 → big {"id":1,"qty":30,"twice":60}
  → big    1 {"id":1,"qty":30,"twice":60}
  → rest   0 {"id":1,"qty":3,"twice":6}

orders.ndjson:2  filtered
  record   {"id":2,"paid":false}
  paid     nothing

orders.ndjson:3  failed
           ! Unexpected token "b" in JSON

orders.ndjson:4  failed
  record   {"id":4,"paid":true,"lines":[{"qty":"x"}]}
  paid     =
  lines    0 {"id":4,"paid":true,"line":{"qty":"x"}}
  m        ! 0 rule 1: cannot cast a string from $.line.qty to integer, for qty

in=4 delivered=1 filtered=1 failed=2; nothing was written
`;

function folder(name = "shop.yaml", configuration = config()): string {
  const cwd = tempDir();
  writeFileSync(path.join(cwd, name), configuration);
  writeFileSync(path.join(cwd, "orders.ndjson"), orders);
  return cwd;
}

test("preview of a configuration reads its source's records, runs its scripts, and writes nothing", async () => {
  const cwd = folder();
  expect(await sluice(["preview", "shop.yaml"], { cwd })).toEqual({ code: 1, stdout: text, stderr: "" });
  expect([existsSync(path.join(cwd, "big.ndjson")), existsSync(path.join(cwd, ".sluice"))]).toEqual([false, false]);
});

test("preview takes records of a file, by its ending, and --sample says how many", async () => {
  const cwd = folder();
  writeFileSync(path.join(cwd, "some.csv"), "id,paid\n1,yes\n2,no\n");
  const { code, stdout } = await sluice(["preview", "shop.yaml", "--records", "some.csv", "--sample", "1"], { cwd });
  expect([code, stdout]).toEqual([
    0,
    'some.csv:2  filtered\n  record  {"id":"1","paid":"yes"}\n  paid    nothing\n\n' +
      "in=1 delivered=0 filtered=1 failed=0; nothing was written\n",
  ]);
});

test("preview --json has the API's words", async () => {
  const { code, stdout } = await sluice(["preview", "shop.yaml", "--sample", "1", "--json"], { cwd: folder() });
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    expect.objectContaining({
      records: [expect.objectContaining({ status: "delivered", position: { base: "orders.ndjson", ordinal: 1 } })],
      totals: { in: 1, delivered: 1, aggregated: 0, filtered: 0, failed: 0 },
      windows: null,
      truncated: false,
    }),
  ]);
});

test("preview of a configuration opens the types of its plugins, and names a plugin that does not start", async () => {
  const cwd = tempDir();
  const told = fileURLToPath(new URL("../plugin/programs/told.ts", import.meta.url));
  writeProgram(path.join(cwd, "programs"), "told", `exec '${process.execPath}' '${told}'`);
  writeProgram(path.join(cwd, "programs"), "broken", "echo no such database >&2; exit 3");
  const counted = (program: string) => ({
    plugins: [{ name: "told", command: [program], env: { SLUICE_PLUGIN_NOTES: path.join(cwd, "notes") } }],
    connectors: [{ name: "counts", type: "told" }],
    integrations: [
      {
        name: "numbers",
        source: { connector: "counts", stream: "numbers" },
        destination: { connector: "counts", stream: "any" },
        pipeline_spec: {
          steps: [{ id: "stock", type: "enrich", connector: "counts", request: { n: "{{ $.n }}" }, merge_at: "stock" }],
        },
      },
    ],
  });
  writeFileSync(path.join(cwd, "good.json"), JSON.stringify(counted("told")));
  writeFileSync(path.join(cwd, "broken.json"), JSON.stringify(counted("broken")));
  const env = { SLUICE_PLUGIN_ROOTS: path.join(cwd, "programs") };
  const [good, broken] = await Promise.all([
    sluice(["preview", "good.json", "--json", "--sample", "2"], { cwd, env }),
    sluice(["preview", "broken.json"], { cwd, env }),
  ]);
  expect(good).toMatchObject({ code: 0, stderr: "" });
  const { records, totals } = JSON.parse(good.stdout);
  expect(totals).toMatchObject({ in: 2, delivered: 2 });
  expect(records[1].destinations[0].in.records[0].record).toEqual({ n: 2, stock: { found: true } });
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain("plugin told ended");
  expect(broken.stderr).toContain("no such database");
});

test("a configuration that is not in order is exit code 2, with its places", async () => {
  const cwd = folder("shop.yaml", config().replace("cast: integer", "cast: intger"));
  expect(await sluice(["preview", "shop.yaml"], { cwd })).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^shop\.yaml:18:49: integrations\[0\]\.mapping_spec\[1\]\.cast: .*"integer"/),
  });
});

test("usage errors are exit code 2", async () => {
  const cwd = folder();
  const second = config().slice(config().indexOf("  - name: orders")).replace("orders", "second");
  writeFileSync(path.join(cwd, "two.yaml"), config() + second);
  const cases: [string[], string][] = [
    [["preview"], "usage: sluice preview NAME|FILE..."],
    [["preview", "two.yaml"], "which integration? --integration orders|second"],
    [["preview", "two.yaml", "--integration", "secnd"], 'unknown integration "secnd"; did you mean "second"?'],
    [["preview", "orders", "--integration", "x"], "--integration goes with configuration files"],
    [["preview", "shop.yaml", "--sample", "0"], "--sample must be a whole number from 1 to 1000, not 0"],
    [["preview", "shop.yaml", "--records", "no.csv"], "no.csv: there is no such file"],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await sluice(args, { cwd });
    expect([args, code, stdout, stderr]).toEqual([args, 2, "", expect.stringContaining(message)]);
  }
});

const shared = sharedNode();

test("preview of an integration on a server shows the same as that of its file", async () => {
  const node = shared();
  writeFileSync(path.join(node.folder, "shop.yaml"), config(node.files));
  writeFileSync(path.join(node.files, "orders.ndjson"), orders);
  expect((await onNode(node, "apply", "shop.yaml")).code).toBe(0);
  expect(await onNode(node, "preview", "orders")).toEqual({ code: 1, stdout: text, stderr: "" });
  const given = await onNode(
    node,
    "preview",
    "orders",
    "--records",
    path.join(node.files, "orders.ndjson"),
    "--sample",
    "2",
  );
  expect([given.code, given.stdout]).toEqual([
    0,
    `${text.slice(0, text.indexOf("orders.ndjson:3"))}in=2 delivered=1 filtered=1 failed=0; nothing was written\n`,
  ]);
  expect((await onNode(node, "preview", "ordres")).stderr).toContain('did you mean "orders"?');
  expect((await onNode(node, "runs", "orders", "--json")).stdout).toContain('"items": []');
});

test("a type that only a plugin of the server has is known to lint and preview, and its connector is opened here", async () => {
  const node = shared();
  const told = fileURLToPath(new URL("../plugin/programs/told.ts", import.meta.url));
  const program = `SLUICE_PLUGIN_NOTES='${path.join(node.folder, "notes")}' exec '${process.execPath}' '${told}'`;
  writeProgram(path.join(node.dataDir, "plugins"), "told", program);
  const numbers = (type: string, config = {}) => {
    const value = {
      connectors: [{ name: "counts", type, config }],
      integrations: [
        {
          name: "numbers",
          source: { connector: "counts", stream: "numbers" },
          destination: { connector: "counts", stream: "any" },
        },
      ],
    };
    writeFileSync(path.join(node.folder, "numbers.json"), JSON.stringify(value));
  };
  numbers("told");
  const unknown = await onNode(node, "lint", "numbers.json");
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('unknown connector type "told"')]);
  expect(await onNode(node, "plugin", "add", "told", "--", "told")).toMatchObject({ code: 0 });
  expect(await onNode(node, "lint", "numbers.json")).toMatchObject({ code: 0, stderr: "" });
  const seen = await onNode(node, "preview", "numbers.json", "--json", "--sample", "2");
  expect(seen).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(seen.stdout)).toMatchObject({ totals: { in: 2, delivered: 2 } });
  numbers("told", { conut: 1 });
  const wrong = await onNode(node, "lint", "numbers.json");
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("connectors[0].config.conut")]);
  numbers("told@2");
  expect((await onNode(node, "lint", "numbers.json")).stderr).toContain('unknown connector type "told"');

  // With secrets, which stay where they are.
  numbers("told");
  writeFileSync(
    path.join(node.folder, "plugin.json"),
    JSON.stringify({ plugins: [{ name: "told", command: ["told"], env: { SLUICE_PLUGIN_KEY: "very-secret" } }] }),
  );
  expect(await onNode(node, "apply", "plugin.json")).toMatchObject({ code: 0 });
  const refused = await onNode(node, "preview", "numbers.json");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("preview the integration there")]);
});

test("where no server can be asked for a type, that is said beside the finding", async () => {
  const cwd = folder("shop.yaml", config().replace("type: file", "type: crm"));
  const env = { SLUICE_URL: "http://127.0.0.1:9" };
  const { code, stderr } = await sluice(["lint", "shop.yaml"], { cwd, env });
  expect(code).toBe(2);
  expect(stderr).toContain("no server answers at http://127.0.0.1:9");
  expect(stderr).toContain('connectors[0].type: unknown connector type "crm"');
});
