import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { sluice } from "../support/cli.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVault, type TestVault, vaultBuildMs } from "../support/vault.ts";
import { startOtlpServer } from "../telemetry/otlp-server.ts";
import { plantedConnectors, plantedIntegrations } from "./planted-config.ts";
import { filesBelow, found, plants } from "./plants.ts";

const ends: (() => unknown)[] = [];
let vault: TestVault;
let server: TestServer;

beforeAll(async () => {
  vault = await startVault(tempDir((end) => ends.push(end)));
  ends.push(() => vault.stop());
  // Whatever it is asked it quotes in its answer: headers, credentials and all.
  server = await serve(({ method, path, query, headers, body }) => {
    const basic = Buffer.from((headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
    const said: JsonObject = {
      headers: headers as JsonObject,
      url: `${path}?${query}`,
      query: Object.fromEntries(query),
      basic,
      body,
    };
    if (path === "/records") {
      return { body: Array.from({ length: 30 }, (_, n) => ({ n, city: n % 2 ? "here" : "there" })) };
    }
    if (path === "/cities/there") return { status: 422, body: said };
    if (path === "/cities/here") return { body: { zip: 1 } };
    if (path === "/land") {
      const all = JSON.parse(body) as unknown[];
      return { body: { results: all.map((_, n) => ({ ok: n % 3 === 0, error: JSON.stringify(said) })) } };
    }
    if (path === "/html") {
      return { headers: { "content-type": "text/html" }, body: `<html>${JSON.stringify(said)}` };
    }
    if (path === "/half")
      return { headers: { "content-type": "application/json" }, body: `[{"x":${JSON.stringify(said)}` };
    return { status: method === "POST" && path === "/token" ? 401 : 400, body: said };
  });
  ends.push(() => server.close());
}, vaultBuildMs);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** Where planted secrets are looked for, with what was found there. */
class Places {
  readonly searched = new Map<string, string[]>();

  look(place: string, content: Buffer | string): void {
    this.searched.set(place, [...(this.searched.get(place) ?? []), ...found(place, content)]);
  }
}

test("planted secrets are nowhere but where they belong", { timeout: 400_000 }, async () => {
  const places = new Places();
  const collector = await startOtlpServer();
  await vault.call("POST", "secret/data/sluice/plant", { data: { token: plants["a token, by Vault"] } });
  await vault.call("POST", "auth/token/create", { id: plants["the token for Vault"], policies: ["root"], ttl: "1h" });
  const node = await TestNode.make({
    env: {
      SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8",
      SLUICE_SECRET_PLANT: plants["the key of a query parameter, by an environment variable"],
      SLUICE_SECRET_ENRICH: plants["a reference in an enrich step's request"],
      SLUICE_VAULT_ADDR: vault.url,
      SLUICE_VAULT_TOKEN: plants["the token for Vault"],
      SLUICE_LOG_LEVEL: "debug",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `api-key=${plants["a header for the collector"]}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
  });
  mkdirSync(join(node.dataDir, "secrets"), { recursive: true });
  writeFileSync(join(node.dataDir, "secrets", "plant"), plants["a token, by a file"]);
  // As somebody with a shell on the server would put it there.
  const program = fileURLToPath(new URL("programs/rude-plugin.ts", import.meta.url));
  mkdirSync(join(node.dataDir, "plugins"));
  const script = `#!/bin/sh\nexec "${process.execPath}" "${program}"\n`;
  writeFileSync(join(node.dataDir, "plugins", "rude"), script, { mode: 0o755 });
  await node.start();
  const { api } = node;

  // Configuration: taken, refused, planned, tried.
  const made = plantedConnectors(server.url, Number(new URL(node.databaseUrl()).port));
  const config = {
    connectors: Object.entries(made).map(([name, each]) => ({ name, ...each })),
    integrations: plantedIntegrations(),
  };
  const ask = async (method: string, path: string, body?: unknown) => {
    const { text } = await api.request(method, path, body);
    places.look("answers of the API to changes, tests and previews", text);
    return text;
  };
  const env = { SLUICE_PLUGIN_KEY: plants["a plugin's own secret"] };
  await ask("POST", "/v1/plugins", { name: "rude", command: ["rude"], env });
  await ask("POST", "/v1/apply?dry_run=true", config);
  await ask("POST", "/v1/apply?skip_checks=true", config);
  await ask("POST", "/v1/apply", config);
  const refused = plants["a password that no check takes"];
  await ask("POST", "/v1/connectors", { name: "bad", type: "postgres", config: { host: 1, password: [refused] } });
  await ask("POST", "/v1/connectors", { name: "bad", type: "postgres", config: { url: `mysql://u:${refused}@h/d` } });
  await ask("POST", "/v1/connectors", {
    name: "bad",
    type: "http",
    config: { base_url: "x", headers: { a: [refused] } },
  });
  await ask("POST", "/v1/connectors", { name: "bad", type: "http", config: { base_url: `https://u:${refused}@h` } });
  const malformed = await fetch(`${node.url}/v1/connectors`, {
    method: "POST",
    headers: { authorization: `Bearer ${node.token}`, "content-type": "application/json" },
    body: `{"name":"bad","config":{"password":"${refused}"`,
  });
  places.look("answers of the API to changes, tests and previews", await malformed.text());
  const list = async (path: string) => (await api.call<{ items: { id: string; name: string }[] }>("GET", path)).items;
  const connectorIds = await list("/v1/connectors?limit=100");
  for (const { id, name } of connectorIds) {
    for (const what of ["test", "discover"]) await ask("POST", `/v1/connectors/${id}/${what}`);
    await ask("PUT", `/v1/connectors/${id}`, { name, ...made[name] });
  }

  // Runs, all that can go wrong in them, and what is kept of it.
  const ids = await list("/v1/integrations?limit=100");
  const runs: string[] = [];
  for (const { id } of ids) {
    await ask("POST", `/v1/integrations/${id}/preview`);
    runs.push(await api.run(id));
  }
  const statuses = new Map<string, number>();
  for (const id of runs) {
    const { status } = await api.until(id, ({ status, waiting }) => status !== "running" || Boolean(waiting), 120_000);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect(statuses.get("failed")).toBeGreaterThan(5);
  expect(statuses.get("partial")).toBeGreaterThan(2);
  const letters: string[] = [];
  for (const { id } of ids)
    letters.push(...(await list(`/v1/integrations/${id}/dead-letter?limit=100`)).map(({ id }) => id));
  expect(letters.length).toBeGreaterThan(50);
  expect(readFileSync(join(node.dataDir, "sluice.log"), "utf8")).toContain("it is *** ");
  const job = JSON.parse(await ask("POST", `/v1/integrations/${ids[0]!.id}/dead-letter/replay-all?dry_run=true`)) as {
    id?: string;
  };
  await ask("POST", "/v1/secrets/rotate");

  // The servers have seen them, or nothing would be shown by their absence.
  const seen = JSON.stringify(server.asked.map(({ headers, query, body }) => [headers, [...query], body]));
  const used = new Set(found("server", seen).map((line) => line.split(/: | \(/)[1]));
  expect([...used].sort()).toEqual(
    [
      "a password in a config",
      "a header in a config",
      "the key of a query parameter, by an environment variable",
      "a token, by a file",
      "a token, by Vault",
      "an OAuth client's secret",
      "a reference in an enrich step's request",
    ].sort(),
  );

  // What anybody can read.
  const values: Record<string, readonly string[]> = {
    "/v1/connectors/{id}": connectorIds.map(({ id }) => id),
    "/v1/connector-types/{type}": ["http", "postgres"],
    "/v1/integrations/{id}": ids.map(({ id }) => id),
    "/v1/hooks/{integration}": ids.map(({ id }) => id),
    "/v1/runs/{id}": runs,
    "/v1/dead-letter/{id}": letters.slice(0, 60),
    "/v1/jobs/{id}": job.id === undefined ? [] : [job.id],
    "/v1/plugins/{name}": ["rude"],
    "/v1/api-keys/{id}": (await list("/v1/api-keys?limit=100")).map(({ id }) => id),
  };
  const { paths } = await api.call<{ paths: Record<string, Record<string, unknown>> }>("GET", "/openapi.json");
  let answers = 0;
  for (const [path, operations] of Object.entries(paths)) {
    // One that streams ends only with its reader.
    if (operations.get === undefined || JSON.stringify(operations.get).includes("text/event-stream")) continue;
    const parameter = /^.*?\{\w+\}/.exec(path)?.[0];
    const filled = parameter === undefined ? [path] : values[parameter]?.map((id) => path.replace(/\{\w+\}/, id));
    expect(filled, `ids for ${path}`).toBeDefined();
    for (const url of filled!) {
      places.look("answers of every GET of the API", (await api.text(url)).text);
      answers++;
    }
  }
  expect(answers).toBeGreaterThan(100);
  for (const url of ["/openapi.json", "/healthz", "/readyz"]) {
    places.look("answers of every GET of the API", (await api.text(url)).text);
  }
  places.look("metrics", (await api.text("/metrics")).text);

  // The command line and its reports.
  const file = join(node.folder, "config.yaml");
  writeFileSync(file, JSON.stringify(config));
  const broken = join(node.folder, "broken.yaml");
  writeFileSync(broken, `connectors:\n  - name: bad\n    config: { password: "${refused}" , headers: { a\n`);
  const wrong = join(node.folder, "wrong.yaml");
  const wrongConfig = { host: 1, password: [refused], pasword: refused };
  writeFileSync(wrong, JSON.stringify({ connectors: [{ name: "bad", type: "postgres", config: wrongConfig }] }));
  const tests = join(node.folder, "config.test.yaml");
  writeFileSync(
    tests,
    JSON.stringify({
      tests: [
        {
          name: "lands",
          config: "config.yaml",
          integration: "vault-lands",
          given: [{ n: 1 }],
          expect: { outputs: { vault: [] } },
        },
      ],
    }),
  );
  const report = join(node.folder, "report.json");
  const certify = (name: string, more: object) => {
    const trial = join(node.folder, name);
    const password = plants["a password of a plugin's connector"];
    writeFileSync(trial, JSON.stringify({ config: { password }, env, ...more }));
    return ["plugin", "certify", "--config", trial, "--quick"];
  };
  const six = Array.from({ length: 6 }, (_, n) => ({ n }));
  const writes = certify("writes.json", { destination: { stream: "a", records: six } });
  const reads = certify("reads.json", { source: { stream: "a" } });
  const only = ["check", "discover", "write.append.all", "write.append.drift", "secrets"].flatMap((id) => [
    "--only",
    id,
  ]);
  // A command line: its folder's name has blanks.
  const tried = `'${join(node.dataDir, "plugins", "rude")}'`;
  const commands = [
    ["connectors", "list", "--json"],
    ...["query", "rude"].flatMap((name) => [
      ["connectors", "test", name],
      ["connectors", "discover", name],
    ]),
    ["plan", file, "--json"],
    ["apply", file],
    ["lint", file],
    ["lint", "--defaults", file],
    ["lint", broken],
    ["apply", broken],
    ["lint", wrong],
    ["apply", wrong],
    ["runs", "basic-fail"],
    ["runs", "basic-lands", "--ledger"],
    ["dlq", "list", "basic-lands"],
    ["dlq", "groups", "basic-lands", "--json"],
    ["dlq", "show", letters[0]!],
    ["run", "query-fail"],
    ["preview", "looks"],
    ["preview", "basic-fail", file],
    ["doctor", "--json"],
    ["doctor", "--guarantees", "looks"],
    ["plugin", "show", "rude"],
    ["secrets", "rotate", "--json"],
    ["test", tests, "--json"],
    [...writes, ...only, "--report", report, "--", tried],
    [...reads, "--json", "--", tried],
  ];
  const run = async (command: readonly string[]) => {
    const { stdout, stderr } = await sluice(node, ...command);
    const place = ["test", "doctor"].includes(command[0]!)
      ? "reports of test and doctor"
      : command[1] === "certify"
        ? "reports of plugin certify"
        : "output of the command line";
    places.look(place, `sluice ${command.join(" ")}\n${stdout}${stderr}`);
  };
  // Each is a process that has to start: three at once.
  const waiting = commands.values();
  const lane = async () => {
    for (const command of waiting) await run(command);
  };
  await Promise.all([lane(), lane(), lane()]);

  const { checks, counts } = JSON.parse(readFileSync(report, "utf8"));
  places.look("reports of plugin certify", JSON.stringify(checks));
  expect(counts.failed).toBe(5);
  expect(JSON.stringify(checks)).toContain("not with ***");

  // What is kept.
  const client = new pg.Client({ connectionString: node.databaseUrl() });
  await client.connect();
  const tables = await client.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'sluice'",
  );
  let rows = 0;
  for (const { name } of tables.rows) {
    const found = await client.query(`SELECT t::text AS row FROM sluice."${name}" t`);
    rows += found.rows.length;
    for (const { row } of found.rows) places.look("every row of every table in Postgres", row);
  }
  await client.end();
  expect(rows).toBeGreaterThan(100);
  places.look("what the node said on stderr", node.stderr);
  const stderr = node.stderr;
  await node.stop();
  expect(stderr).toContain("run ended");
  for (const { path, bytes } of filesBelow(node.dataDir, ["secrets"])) {
    const kind = path.startsWith("nats") ? "NATS" : path.startsWith("postgres") ? "Postgres" : "the node";
    places.look(`files of ${kind}: logs, tables, streams`, Buffer.concat([Buffer.from(`${path}\n`), bytes]));
  }
  for (const { path, bytes } of filesBelow(node.cluster, [])) {
    places.look("files of Postgres: logs, tables, streams", Buffer.concat([Buffer.from(`${path}\n`), bytes]));
  }
  places.look("spans sent to the collector", collector.bytes());
  expect(collector.spans.length).toBeGreaterThan(20);
  // That the search finds what is there.
  expect(filesBelow(node.dataDir, []).flatMap(({ path, bytes }) => found(path, bytes))).toEqual([
    expect.stringMatching(/^secrets.plant: a token, by a file/),
  ]);

  const documented = readFileSync(new URL("../../docs/secrets.md", import.meta.url), "utf8");
  process.stdout.write(`searched for ${Object.keys(plants).length} planted secrets:\n`);
  for (const place of places.searched.keys()) {
    process.stdout.write(`  ${place}\n`);
    expect(documented).toContain(place);
  }
  expect([...new Set([...places.searched.values()].flat())]).toEqual([]);
});
