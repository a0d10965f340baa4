import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { tempDir } from "../support/temp-dir.ts";
import { sluice } from "./sluice.ts";

const config = `connectors:
  - name: files
    type: file
    config: { path: ./data, format: ndjson }
integrations:
  - name: copy
    source: { connector: files, stream: a.ndjson }
    destination: { connector: files, stream: b.ndjson }
    mapping_spec:
      - { source: $.a, destination: b }
`;

function folderWith(text: string): string {
  const cwd = tempDir();
  writeFileSync(path.join(cwd, "shop.yaml"), text);
  return cwd;
}

const lint = async (text: string, ...args: string[]) =>
  sluice(["lint", "shop.yaml", ...args], { cwd: folderWith(text) });

test("lint finds nothing wrong with a configuration that is right", async () => {
  expect(await lint(config)).toEqual({ code: 0, stdout: "shop.yaml: no errors\n", stderr: "" });
});

test("lint takes scripts in rules that parse", async () => {
  const scripted = config.replace("destination: b }", "destination: b, transform: value + 1, when: { js: record.a } }");
  expect(await lint(scripted)).toEqual({ code: 0, stdout: "shop.yaml: no errors\n", stderr: "" });
});

test.each([
  [
    "stream: a.ndjson }",
    "stream: a.ndjson, mod: full }",
    "7:49",
    'source.mod: unknown field "mod"; did you mean "mode"?',
  ],
  [
    "source: { connector",
    "source: { conector",
    "7:15",
    'source.conector: unknown field "conector"; did you mean "connector"?',
  ],
  [
    "connector: files, stream: b",
    "connector: fils, stream: b",
    "8:20",
    'destination.connector: unknown connector "fils"; did you mean "files"?',
  ],
  ["destination: b }", "destination: 5 }", "10:25", "mapping_spec[0].destination: "],
  ["$.a", '"$["', "10:9", "mapping_spec[0].source: "],
  ["destination: b }", 'destination: b, transform: "value +" }', "10:41", "mapping_spec[0].transform: "],
  ["destination: b }", 'destination: b, when: { js: "a; b" } }', "10:49", "mapping_spec[0].when.js: must be one expr"],
  ["format: ndjson", "format: xml", "4:29", "config.format: must be one of"],
  [
    "stream: b.ndjson }",
    "stream: b.ndjson, mode: upsert, key: [a] }",
    "8:55",
    "destination.mode: connectors of type file have no mode upsert",
  ],
])("lint puts %j → %j at its place", async (from, to, place, message) => {
  expect(config).toContain(from);
  const { code, stdout, stderr } = await lint(config.replace(from, to));
  expect([code, stdout]).toEqual([2, ""]);
  const line = stderr.split("\n").find((each) => each.startsWith(`shop.yaml:${place}: `)) ?? stderr;
  expect(line).toContain(message);
});

test("lint refuses a cycle, naming its way", async () => {
  const steps = `    pipeline_spec:
      steps:
        - { id: a, type: filter, where: $.a, needs: [b] }
        - { id: b, type: map, needs: [a] }
`;
  const { code, stderr } = await lint(config + steps);
  expect(code).toBe(2);
  expect(stderr).toMatch(/pipeline_spec\.steps\[\d\]\.needs: goes round in a cycle: (a → b → a|b → a → b)\n/);
});

test("lint says what a webhook's trigger lacks", async () => {
  const { code, stderr } = await lint(`${config}    trigger: { type: webhook }\n`);
  expect(code).toBe(2);
  expect(stderr).toContain("trigger.auth: is required");
});

test("lint says which secret of a webhook can be none", async () => {
  const auth = (text: string) => lint(`${config}    trigger: { type: webhook, auth: { ${text} } }\n`);
  for (const [text, said] of [
    ['scheme: standard-webhooks, secrets: ["whsec_not base64"]', "secrets[0]: is not base64 after whsec_"],
    ["scheme: standard-webhooks, secrets: [whsec_AAAA]", "secrets[0]: is a key of less than 16 bytes"],
    ["scheme: standard-webhooks, secrets: [whpk_AAAA]", "secrets[0]: is no Ed25519 key"],
    ['scheme: github, secrets: [good, " "]', "secrets[1]: is empty"],
    ["scheme: basic, secrets: [no-colon]", "secrets[0]: is not of the form user:password"],
    ['scheme: none, verify_token: " "', "verify_token: is empty"],
    [`scheme: none, verify_token: "\${env:HOME}"`, `verify_token: \${env:HOME} is refused`],
  ] as const) {
    const { code, stderr } = await auth(text);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`trigger.auth.${said}`)]);
  }
});

test("lint refuses the trigger event for a source that cannot be read without an end", async () => {
  const { code, stderr } = await lint(`${config}    trigger: { type: event }\n`);
  expect(code).toBe(2);
  expect(stderr).toContain("source.connector: connectors of type file are not read without an end, as trigger event");
});

test("lint refuses look-ups that a connector cannot answer", async () => {
  const step = "{ id: s, type: enrich, connector: files, request: {}, merge_at: a }";
  const steps = `    pipeline_spec: { steps: [${step}, { id: m, type: map }] }\n`;
  const { code, stderr } = await lint(config + steps);
  expect(code).toBe(2);
  expect(stderr).toContain("pipeline_spec.steps[0].connector: connectors of type file cannot look anything up");
});

test("lint --json has every finding with its place", async () => {
  const { code, stdout } = await lint(config.replace("conn", "con"), "--json");
  expect(code).toBe(2);
  const { errors, warnings } = JSON.parse(stdout);
  expect(warnings.length + errors.length).toBeGreaterThan(0);
  expect(errors[0]).toMatchObject({
    file: "shop.yaml",
    line: 1,
    column: 1,
    path: "conectors",
    message: expect.any(String),
  });
});

test("lint --defaults prints a configuration that lint takes, with every option", async () => {
  const { code, stdout } = await lint(config, "--defaults");
  expect(code).toBe(0);
  const { integrations } = parse(stdout);
  expect(integrations[0].delivery).toMatchObject({
    batch: { records: 500, bytes: 100_000, linger: "50ms" },
    retry: { max_attempts: 12, initial: "1s", max: "5m", multiplier: 2, jitter: 0.2 },
    circuit_breaker: { failure_percent: 50, window: "60s", open_for: "30s", half_open_requests: 1 },
    timeout: { connect: "5s", read: "30s", total: "60s" },
  });
  expect(await lint(stdout)).toMatchObject({ code: 0, stderr: "" });
});

test("lint warns of a connector that only the server may have", async () => {
  const { code, stderr } = await lint(config.slice(config.indexOf("integrations")));
  expect(code).toBe(0);
  expect(stderr).toContain("warning: integrations[0].source.connector: connector files is not in these files");
});

const people = [
  { a: "1", email: "ada@example.com", items: [{ sku: "x", price: "2.50" }] },
  { a: "2", email: "bob@example.com", items: [{ sku: "y", price: "free" }] },
  { a: "x", email: null, items: [] },
];

/** Lint of the configuration with other rules, and with people as samples. */
async function lintRules(rules: string, more = "", ...args: string[]) {
  const cwd = folderWith(`${config.slice(0, config.indexOf("      - {"))}${rules}${more}`);
  writeFileSync(path.join(cwd, "people.ndjson"), people.map((each) => `${JSON.stringify(each)}\n`).join(""));
  return sluice(["lint", "shop.yaml", ...args], { cwd });
}

test("lint warns of rules without effect, with both rules and the place of the one", async () => {
  const { code, stdout, stderr } = await lintRules(
    `      - { source: $.email, destination: mail }
      - { value: 1, destination: mail.x, when: $.a == '1' }
      - template: "{{ $.email }}"
        destination: mail
      - { drop: mial }
`,
  );
  const at = (place: string, rule: string) => `shop.yaml:${place}: warning: integrations[0].mapping_spec${rule}`;
  expect([code, stdout, stderr]).toEqual([
    0,
    "shop.yaml: no errors\n",
    `${at("10:28", "[0].destination")}: what it writes is lost: mapping_spec[2] writes mail over it
${at("11:21", "[1].destination")}: what it writes is lost: mapping_spec[2] writes mail over it
${at("14:11", "[3].drop")}: drops nothing: no rule before it writes mial; did you mean mail?
`,
  ]);
});

test("lint --sample warns of paths that no sample has and of casts that samples do not pass, with counts and places", async () => {
  const { code, stderr } = await lintRules(
    `      - { source: $.emial, destination: mail }
      - { source: $.a, destination: n, cast: integer }
      - { template: "{{ $.nmae }}", destination: name }
      - { source: $.email, destination: at, cast: timestamp }
      - { source: "$.items", destination: lines, each: [ { source: $.suk, destination: id }, { source: $.price, destination: p, cast: number } ] }
`,
    `    pipeline_spec:
      steps:
        - { id: keep, type: filter, where: "$.staus == 'active' || $.a != 'none'" }
        - { id: m, type: map }
`,
    "--sample",
    "people.ndjson",
  );
  const at = (place: string, rest: string) => `shop.yaml:${place}: warning: integrations[0].${rest}`;
  expect([code, stderr.split("\n")]).toEqual([
    0,
    [
      at("10:11", "mapping_spec[0].source: 0 of 3 sample records have $.emial; did you mean $.email?"),
      at("11:40", "mapping_spec[1].cast: the cast to integer refuses $.a of 1 of 3 samples"),
      at("12:11", "mapping_spec[2].template: 0 of 3 sample records have $.nmae"),
      at("13:45", "mapping_spec[3].cast: the cast to timestamp refuses $.email of all of 2 samples"),
      at("14:60", "mapping_spec[4].each[0].source: 0 of 2 sample records have $.suk; did you mean $.sku?"),
      at("14:129", "mapping_spec[4].each[1].cast: the cast to number refuses $.price of 1 of 2 samples"),
      at("17:37", "pipeline_spec.steps[0].where: 0 of 3 sample records have $.staus"),
      "",
    ],
  ]);
});

test("lint takes CSV and JSON as samples, by the integration's name where there are several", async () => {
  const second = config.slice(config.indexOf("  - name: copy")).replace("copy", "second");
  const cwd = folderWith(config + second);
  writeFileSync(path.join(cwd, "a.csv"), "b,c\n1,2\n");
  writeFileSync(path.join(cwd, "a.json"), '[{"a":1}]');
  const lint = (...args: string[]) => sluice(["lint", "shop.yaml", ...args], { cwd });
  expect(await lint("--sample", "copy=a.csv", "--sample", "second=a.json", "--json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"path": "integrations[0].mapping_spec[0].source"'),
  });
  expect(await lint("--sample", "a.csv")).toMatchObject({
    code: 2,
    stderr: "sluice lint: --sample a.csv: which integration reads it? (--sample NAME=FILE)\n",
  });
  expect((await lint("--sample", "secnd=a.json")).stderr).toContain(
    'unknown integration "secnd"; did you mean "second"?',
  );
  expect((await lint("--sample", "second=b.json")).stderr).toContain("b.json: there is no such file");
});

test("lint knows from a validate step what the records behind it are", async () => {
  const steps = `    pipeline_spec:
      steps:
        - { id: v, type: validate, schema: { properties: { a: { type: boolean } }, additionalProperties: false } }
        - { id: m, type: map }
`;
  const { code, stderr } = await lintRules(
    "      - { source: $.a, destination: a, cast: timestamp }\n      - { source: $.b, destination: b }\n",
    steps,
  );
  expect([code, stderr]).toEqual([
    0,
    `shop.yaml:10:40: warning: integrations[0].mapping_spec[0].cast: the cast to timestamp refuses $.a, which is boolean
shop.yaml:11:11: warning: integrations[0].mapping_spec[1].source: no record has $.b
`,
  ]);
});

test("warnings do not change lint's exit code, save with --strict", async () => {
  const rules = "      - { source: $.a, destination: x }\n      - { value: 1, destination: x }\n";
  expect((await lintRules(rules)).code).toBe(0);
  expect(await lintRules(rules, "", "--strict")).toMatchObject({ code: 2, stdout: "" });
});

test("a file that is no configuration, or not there, is exit code 2", async () => {
  const cwd = folderWith("a: [1");
  expect(await sluice(["lint", "shop.yaml"], { cwd })).toMatchObject({ code: 2, stdout: "" });
  expect(await sluice(["apply", "missing.yaml"], { cwd })).toMatchObject({
    code: 2,
    stderr: "missing.yaml:1:1: there is no such file\n",
  });
});

test("usage errors are exit code 2 and name what was meant", async () => {
  const cwd = tempDir();
  const cases: [string[], string][] = [
    [["lnt"], 'unknown command "lnt"; did you mean "lint"?'],
    [["lint", "--jsn", "x"], "unknown option --jsn; did you mean --json?"],
    [["lint"], "usage: sluice lint FILE..."],
    [["run", "a", "b"], "b is one argument too many"],
    [["runs", "a", "--limit", "0"], "--limit must be a whole number from 1 to 200, not 0"],
    [["runs", "a", "--status"], "--status needs a value"],
    [["dlq", "lst"], 'unknown command "lst"; did you mean "list"?'],
    [["up", "--port"], "port"],
    [[], "Usage: sluice COMMAND"],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await sluice(args, { cwd });
    expect([args, code, stdout, stderr]).toEqual([args, 2, "", expect.stringContaining(message)]);
  }
});

test("every command has help", async () => {
  const cwd = tempDir();
  const { stdout, code } = await sluice(["--help"], { cwd });
  expect(code).toBe(0);
  const names = [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name!);
  expect(names).toEqual(
    expect.arrayContaining(["up", "apply", "plan", "lint", "map", "run", "runs", "dlq", "doctor", "bench"]),
  );
  for (const name of names) {
    const help = await sluice([name, "--help"], { cwd });
    expect([name, help.code, help.stdout, help.stderr]).toEqual([
      name,
      0,
      expect.stringContaining(`sluice ${name}`),
      "",
    ]);
  }
});

test("where no server answers, the exit code is 3 and the sentence says how to start one", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const cwd = folderWith(config);
  const env = { SLUICE_URL: `http://127.0.0.1:${port}` };
  for (const args of [
    ["runs", "a"],
    ["run", "a"],
    ["plan", "shop.yaml"],
    ["connectors", "list"],
    ["dlq", "show", "x"],
  ]) {
    const { code, stderr } = await sluice(args, { cwd, env });
    expect([args, code, stderr]).toEqual([
      args,
      3,
      expect.stringMatching(/no server answers at .*ECONNREFUSED.*sluice up/),
    ]);
  }
});

test("what is given for a server and is no address of one is told as that", async () => {
  for (const url of ["127.0.0.1:7400", "localhost:7400", "http://"]) {
    const { code, stderr } = await sluice(["runs", "copy"], { cwd: tempDir(), env: { SLUICE_URL: url } });
    expect([code, stderr]).toEqual([
      2,
      `sluice runs: SLUICE_URL is "${url}": an address such as http://127.0.0.1:7400\n`,
    ]);
  }
});

test("a folder in the place of a configuration file is told as one", async () => {
  const cwd = folderWith(config);
  expect(await sluice(["lint", cwd], { cwd })).toEqual({
    code: 2,
    stdout: "",
    stderr: `${cwd}:1:1: this is a folder; name the files in it\n`,
  });
});

test("a data folder that cannot be made, and servers that do not answer, are told with the variable to set", async () => {
  const cwd = folderWith(config);
  const ports = { SLUICE_HTTP_PORT: "0", SLUICE_GRPC_PORT: "0", SLUICE_NATS_PORT: "0", SLUICE_POSTGRES_PORT: "0" };
  const up = (env: Record<string, string>) => sluice(["up"], { cwd, env: { ...ports, SLUICE_LOG: "file", ...env } });
  const inAFile = path.join(cwd, "shop.yaml", "data");
  const noFolder = await up({ SLUICE_DATA_DIR: inAFile });
  expect(noFolder.code).toBe(1);
  expect(noFolder.stderr).toContain(`sluice up: the data folder ${inAFile} cannot be used: ENOTDIR`);
  expect(noFolder.stderr).toContain("Set SLUICE_DATA_DIR");
  const noUrl = await up({ SLUICE_DATABASE_URL: "mysql://SECRET" });
  expect([noUrl.code, noUrl.stdout]).toEqual([2, ""]);
  expect(noUrl.stderr).toMatch(/^sluice up: .*postgres:\/\/.* \(as SLUICE_DATABASE_URL says\)\n$/);
  const noServers = { SLUICE_NATS_URL: "nats://127.0.0.1:1", SLUICE_DATABASE_URL: "postgres://a:b@127.0.0.1:1/c" };
  const away = await up(noServers);
  expect([away.code, away.stderr]).toEqual([
    1,
    "sluice up: the database is away: connect ECONNREFUSED 127.0.0.1:1 (as SLUICE_DATABASE_URL says)\n",
  ]);
});

test.each([
  ["SLUICE_URL", "ftp://127.0.0.1", ["connectors", "list"]],
  ["SLUICE_GRPC_URL", "127.0.0.1:7401", ["tap", "a"]],
  ["SLUICE_TOKEN", "SECRET\nSECRET", ["plan", "shop.yaml"]],
  ["SLUICE_TOKEN", "SECRET\u{1f600}", ["run", "a"]],
])("%s that can be none (%j) is named, and not shown, with exit code 2", async (variable, value, args) => {
  const { code, stdout, stderr } = await sluice(args, { cwd: folderWith(config), env: { [variable]: value } });
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(variable);
  expect(stderr).not.toContain("SECRET");
});

test("bench without a name lists the scenarios, as JSON with --json", async () => {
  const cwd = tempDir();
  const { code, stdout } = await sluice(["bench", "--json"], { cwd });
  const { items } = JSON.parse(stdout) as { items: { name: string }[] };
  expect(code).toBe(0);
  const text = await sluice(["bench"], { cwd });
  expect(items.map(({ name }) => name)).toEqual(
    text.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  );
  expect(items.length).toBeGreaterThan(11);
});

test("doctor tells of a SLUICE_URL that is no address, beside all else", async () => {
  const { code, stdout } = await sluice(["doctor", "--json"], {
    cwd: tempDir(),
    env: { SLUICE_URL: "127.0.0.1:7400" },
  });
  const { checks } = JSON.parse(stdout) as { checks: object[] };
  expect(code).toBe(1);
  expect(checks).toContainEqual(
    expect.objectContaining({ name: "server", status: "fail", detail: expect.stringContaining("SLUICE_URL") }),
  );
  expect(checks.length).toBeGreaterThan(5);
});

test("doctor tells what this machine has, without a server", async () => {
  const { code, stdout } = await sluice(["doctor", "--json"], {
    cwd: tempDir(),
    env: {
      SLUICE_HTTP_PORT: "0",
      SLUICE_NATS_PORT: "0",
      SLUICE_POSTGRES_PORT: "0",
      SLUICE_URL: "http://127.0.0.1:9",
      SLUICE_HOTS: "0.0.0.0",
    },
  });
  const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; detail: string }[] };
  const names = checks.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["node", "nats-server", "postgres", "data folder", "disk", "server"]));
  expect(checks).toContainEqual({
    name: "environment",
    status: "warn",
    detail: "nothing reads SLUICE_HOTS; did you mean SLUICE_HOST?",
  });
  expect(code).toBe(checks.some(({ status }) => status === "fail") ? 1 : 0);
});

test("doctor says of a port that is taken what to set", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const env = {
    SLUICE_HTTP_PORT: String(port),
    SLUICE_NATS_PORT: "0",
    SLUICE_POSTGRES_PORT: "0",
    SLUICE_URL: "http://127.0.0.1:9",
  };
  const { code, stdout } = await sluice(["doctor"], { cwd: tempDir(), env });
  server.close();
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^fail +port http +${port} is taken.*set SLUICE_HTTP_PORT`, "m"));
});

test("doctor --guarantees tells what is promised of an integration of a file, with the tests that hold it", async () => {
  const cwd = folderWith(config);
  const { code, stdout, stderr } = await sluice(["doctor", "--guarantees", "copy", "shop.yaml"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^duplicates +at least once: .*\n( +- .*\n)+ +held by actors\/settler.test.ts/m);
  expect(stdout).toMatch(/^ +shown by load append in .*\bcrash-write\b/m);
  expect(stdout).toMatch(/^durability +nats-server \(embedded\) syncs each message/m);

  const env = { SLUICE_NATS_URL: "nats://127.0.0.1:4222" };
  const json = await sluice(["doctor", "--guarantees", "copy", "shop.yaml", "--json"], { cwd, env });
  const found = JSON.parse(json.stdout);
  expect(found.integration).toBe("copy");
  expect(found.guarantees).toContainEqual(
    expect.objectContaining({ about: "durability", promise: expect.stringContaining("SLUICE_NATS_URL") }),
  );
  expect(await sluice(["doctor", "--guarantees", "cpy", "shop.yaml"], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean "copy"?'),
  });
  expect(await sluice(["doctor", "shop.yaml"], { cwd })).toMatchObject({ code: 2, stdout: "" });
});

test("schema prints the JSON Schema that docs/schema has", async () => {
  const { code, stdout } = await sluice(["schema"], { cwd: tempDir() });
  const file = new URL("../../docs/schema/sluice.schema.json", import.meta.url);
  const { $comment, ...kept } = JSON.parse(readFileSync(file, "utf8"));
  expect([code, JSON.parse(stdout)]).toEqual([0, kept]);
});
