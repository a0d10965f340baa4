import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";
import { sluice, start } from "./sluice.ts";

const config = `connectors:
  - { name: in, type: file, config: { path: ./data, format: ndjson } }
  - { name: out, type: file, config: { path: ./out, format: ndjson } }
integrations:
  - name: copy
    source: { connector: in, stream: a.ndjson }
    destination: { connector: out, stream: b.ndjson, mode: replace }
    mapping_spec: [{ source: $.a, destination: b, cast: integer }]
`;

/** A node of its own in a new folder, with its command line. */
async function startNode() {
  const cwd = tempDir();
  mkdirSync(path.join(cwd, "data"));
  mkdirSync(path.join(cwd, "out"));
  writeFileSync(path.join(cwd, "shop.yaml"), config);
  const ports = { SLUICE_HTTP_PORT: "0", SLUICE_GRPC_PORT: "0", SLUICE_NATS_PORT: "0" };
  const env = { ...ports, SLUICE_DATABASE_URL: await createDatabase() };
  const node = start(["up"], { cwd, env });
  const ended = once(node, "exit");
  onTestFinished(async () => {
    node.kill("SIGTERM");
    await ended;
  });
  node.stderr.resume();
  for await (const line of createInterface(node.stdout)) if (line.startsWith("sluice is ready")) break;
  node.stdout.resume();
  return {
    cwd,
    write: (...lines: string[]) =>
      writeFileSync(path.join(cwd, "data", "a.ndjson"), lines.map((line) => `${line}\n`).join("")),
    // The port is what the node wrote down, as with a user who set nothing.
    sluice: (...args: string[]) => sluice(args, { cwd }),
  };
}

test("plan, apply, run, runs and dlq work together against a node", async () => {
  const node = await startNode();
  node.write('{"a":1}', '{"a":"x"}', "{broken", '{"a":12345678901234567890}');
  expect(await node.sluice("plan", "shop.yaml")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /create +integration +copy\n +its logs, .*\n3 to create, 0 to update, 0 unchanged\n$/,
    ),
  });
  const applied = await node.sluice("apply", "shop.yaml");
  expect(applied).toEqual({
    code: 0,
    stdout:
      "created    connector    in\ncreated    connector    out\ncreated    integration  copy\n" +
      "           its logs, ingest and deliver, are made with its first run\n" +
      "           mapping_spec[0].cast: the cast to integer refuses $.a of 1 of 3 samples\n",
    stderr: "",
  });

  const promised = await node.sluice("doctor", "--guarantees", "copy", "--json");
  const { integration, guarantees } = JSON.parse(promised.stdout);
  expect([promised.code, integration]).toEqual([0, "copy"]);
  expect(guarantees).toContainEqual(
    expect.objectContaining({ about: "duplicates", promise: expect.stringMatching(/^exactly once: the file/) }),
  );
  expect(await node.sluice("doctor", "--guarantees", "copi")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean "copy"?'),
  });

  const ran = await node.sluice("run", "copy");
  expect(ran).toMatchObject({ code: 1, stdout: "copy: in=4 out=2 filtered=0 failed=2 status=partial\n" });
  expect(ran.stderr).toContain("sluice dlq list copy");
  expect(readFileSync(path.join(node.cwd, "out", "b.ndjson"), "utf8")).toBe('{"b":1}\n{"b":12345678901234567890}\n');

  const { items } = JSON.parse((await node.sluice("runs", "copy", "--json")).stdout);
  expect(items).toMatchObject([{ status: "partial", records_in: 4, records_failed: 2 }]);
  expect(await node.sluice("doctor", "--guarantees", items[0].integration_id, "--json")).toEqual(promised);
  expect((await node.sluice("runs", "copy")).stdout).toMatch(/^RUN +STATUS.*\n\S+ +partial +manual /);
  const ledger = await node.sluice("runs", "copy", "--ledger");
  expect([ledger.code, ledger.stdout]).toEqual([0, expect.stringMatching(/ partial: the ledger balances\n/)]);
  expect(ledger.stdout).toMatch(/^STEP +IN +EXPANDED +OUT .*\nsource +4 +0 +3 +0 +0 +0 +1\n/m);
  expect(ledger.stdout).toMatch(/^DESTINATION +PUBLISHED +INHERITED +CONFIRMED +FAILED +PENDING\n\S+ +2 +0 +2 +0 +0$/m);
  const printed = JSON.parse((await node.sluice("runs", "copy", "--ledger", "--json")).stdout);
  expect(printed).toMatchObject({ id: items[0].id, ledger: { balanced: true, steps: { source: { in: 4 } } } });
  const letters = JSON.parse((await node.sluice("dlq", "list", "copy", "--json")).stdout).items;
  expect(letters.map((letter: { position: { ordinal: number } }) => letter.position.ordinal).toSorted()).toEqual([
    2, 3,
  ]);
  const broken = letters.find((letter: { position: { ordinal: number } }) => letter.position.ordinal === 3);
  expect((await node.sluice("dlq", "show", broken.id)).stdout).toContain("\nraw:\n{broken\n");

  node.write('{"a":1}');
  expect(await node.sluice("run", "copy")).toEqual({
    code: 0,
    stdout: "copy: in=1 out=1 filtered=0 failed=0 status=success\n",
    stderr: "",
  });
  expect((await node.sluice("plan", "shop.yaml")).stdout).toMatch(/0 to create, 0 to update, 3 unchanged\n$/);
});

test("dlq groups, shows the difference, corrects, tries and replays what could not be delivered", async () => {
  const node = await startNode();
  node.write('{"a":1}', '{"a":"x"}', '{"a":"y"}', "{broken");
  await node.sluice("apply", "shop.yaml");
  expect((await node.sluice("run", "copy")).code).toBe(1);
  const { items: groups } = JSON.parse((await node.sluice("dlq", "groups", "copy", "--json")).stdout);
  expect(groups).toMatchObject([{ count: 2, step: "map" }, { count: 1 }]);
  const [{ fingerprint, example_id: id }] = groups;
  expect((await node.sluice("dlq", "groups", "copy")).stdout).toMatch(/^FINGERPRINT +COUNT +AT .*\n\S+ +2 +map\[0\] /);

  const tried = await node.sluice("dlq", "replay", "copy", "--dry-run", "--fingerprint", fingerprint);
  expect(tried).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/of 2 dead letters 0 would pass .* 2 would fail/),
  });
  writeFileSync(path.join(node.cwd, "right.json"), '{"a":2}');
  expect(await node.sluice("dlq", "correct", id, "right.json")).toMatchObject({
    code: 0,
    stdout: `corrected; replay it with: sluice dlq replay ${id}\n`,
  });
  expect((await node.sluice("dlq", "diff", id)).stdout).toMatch(
    /^--- payload\n\+\+\+ corrected\n- a: "[xy]"\n\+ a: 2\n\nVALIDATION_ERROR at map\[0\]: /,
  );
  expect(await node.sluice("dlq", "replay", id)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^job \S+ success: 1 of 1 done, 1 passed, 0 failed\n$/),
  });
  expect(readFileSync(path.join(node.cwd, "out", "b.ndjson"), "utf8")).toBe('{"b":1}\n{"b":2}\n');

  expect(await node.sluice("dlq", "replay", "copy")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/ partial: 2 of 2 done, 0 passed, 2 failed\n$/),
  });
  const { items: left } = JSON.parse((await node.sluice("dlq", "list", "copy", "--json")).stdout);
  expect(left).toMatchObject([{ attempt_count: 2 }, { attempt_count: 2 }]);
  expect((await node.sluice("dlq", "discard", left[0].id)).code).toBe(2);
  for (const letter of left) {
    expect((await node.sluice("dlq", "discard", letter.id, "--reason", "test data")).stdout).toBe("discarded\n");
  }
  expect(JSON.parse((await node.sluice("dlq", "list", "copy", "--json")).stdout).items).toEqual([]);
  const { items: jobs } = JSON.parse((await node.sluice("dlq", "jobs", "copy", "--json")).stdout);
  expect(jobs).toMatchObject([{ status: "partial" }, { status: "success" }]);
  expect((await node.sluice("dlq", "cancel", jobs[0].id)).stderr).toContain("the job is partial");
});

test("plan marks what is lost, and apply refuses it at its place without --allow-destructive", async () => {
  const node = await startNode();
  node.write('{"a":1}');
  await node.sluice("apply", "shop.yaml");
  const other = config
    .replace("mode: replace", "mode: append")
    .replace("copy", "second")
    .slice(config.indexOf("integrations"));
  writeFileSync(path.join(node.cwd, "second.yaml"), other);
  await node.sluice("apply", "second.yaml");
  writeFileSync(path.join(node.cwd, "second.yaml"), other.replace("mode: append", "mode: replace"));

  expect(await node.sluice("plan", "second.yaml")).toEqual({
    code: 0,
    stderr: "",
    stdout: `update     integration  second (version 1 → 2)
           ~ destination.mode: "append" → "replace"
           ! destination.mode: destination out replaces what b.ndjson of out holds with each run
left       connector    in, out: not in these files, left as it is
left       integration  copy: not in these files, left as it is
0 to create, 1 to update, 0 unchanged
1 destructive (!): sluice apply wants --allow-destructive for it
`,
  });
  expect(await node.sluice("apply", "second.yaml")).toEqual({
    code: 2,
    stdout: "",
    stderr:
      "second.yaml:4:54: integrations[0].destination.mode: destination out replaces what b.ndjson of out holds with each run\n" +
      "nothing was applied: a change loses data or state, and that was not allowed (--allow-destructive)\n",
  });
  const applied = await node.sluice("apply", "second.yaml", "--allow-destructive");
  expect([applied.code, applied.stdout.split("\n")[0]]).toEqual([0, "updated    integration  second"]);
});

test("a missing file is refused by apply at its place, and by run in one sentence", async () => {
  const node = await startNode();
  const refused = await node.sluice("apply", "shop.yaml");
  expect([refused.code, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toMatch(/^shop\.yaml:6:30: integrations\[0\]\.source\.stream: .*a\.ndjson.*\n$/);
  expect(JSON.parse((await node.sluice("connectors", "list", "--json")).stdout).items).toEqual([]);

  expect(await node.sluice("apply", "--skip-checks", "shop.yaml")).toMatchObject({ code: 0 });
  const ran = await node.sluice("run", "copy");
  expect([ran.code, ran.stdout]).toEqual([1, "copy: in=0 out=0 filtered=0 failed=0 status=failed\n"]);
  expect(ran.stderr).toMatch(/^copy: source\.stream: .*a\.ndjson.*\n$/);
});

test("connectors are listed, tested and looked into; a wrong name is told the nearest one", async () => {
  const node = await startNode();
  node.write('{"a":1}');
  await node.sluice("apply", "shop.yaml");
  expect((await node.sluice("connectors", "list")).stdout).toMatch(/^NAME +TYPE.*\n(in|out) +file /);
  expect((await node.sluice("connectors", "types")).stdout).toContain("\npostgres ");
  expect(await node.sluice("connectors", "test", "in")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^in: ok in \d+ ms\n/),
  });
  expect((await node.sluice("connectors", "discover", "in")).stdout).toMatch(/^STREAM.*\na\.ndjson /);
  expect(await node.sluice("run", "cpy")).toMatchObject({
    code: 2,
    stderr: 'sluice run: unknown integration "cpy"; did you mean "copy"?\n',
  });
});

test("a token that the server does not take is exit code 2", async () => {
  const node = await startNode();
  const url = readFileSync(path.join(node.cwd, ".sluice", "url"), "utf8").trim();
  const outcome = await sluice(["runs", "copy"], { cwd: tempDir(), env: { SLUICE_URL: url, SLUICE_TOKEN: "wrong" } });
  expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining("SLUICE_TOKEN") });
});

test("Ctrl-C ends the waiting and leaves the run going", async () => {
  const node = await startNode();
  const slow = `connectors:
  - { name: gen, type: generator, config: { rate: 100, count: 100000 } }
  - { name: sink, type: blackhole, config: {} }
integrations:
  - { name: slow, source: { connector: gen, stream: s }, destination: { connector: sink, stream: s } }
`;
  writeFileSync(path.join(node.cwd, "slow.yaml"), slow);
  expect(await node.sluice("apply", "slow.yaml")).toMatchObject({ code: 0 });
  const waiting = start(["run", "slow"], { cwd: node.cwd });
  let said = "";
  waiting.stderr.on("data", (chunk) => (said += chunk));
  waiting.stdout.resume();
  const ended = once(waiting, "exit");
  // The first line of progress: the run is under way and waited for.
  while (!said.includes("records/s")) await once(waiting.stderr, "data");
  expect(said).toMatch(/slow: in [\d,]+ {2}out [\d,]+ {2}filtered 0 {2}failed 0 {2}[\d,]+ records\/s/);
  waiting.kill("SIGINT");
  expect((await ended)[0]).toBe(1);
  expect(said).toContain("the run goes on without you");
  const { items } = JSON.parse((await node.sluice("runs", "slow", "--json")).stdout);
  expect(items).toMatchObject([{ status: "running" }]);

  const id = (items as { id: string }[])[0]!.id;
  expect(said).toContain(`sluice runs cancel ${id}`);
  const cancelled = await node.sluice("runs", "cancel", id);
  expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringMatching(/^slow: in=\d+ .* status=cancelled\n$/) });
  const again = await node.sluice("runs", "cancel", id);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("the run has ended: cancelled") });
  const unknown = await node.sluice("runs", "cancel", "0190a0a0-0000-7000-8000-000000000000");
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no run") });
});

test("what the README shows of an integration of one's own works to the letter", async () => {
  const node = await startNode();
  const { cwd } = node;
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const section = /^## Your own integration\n(.*?)^## /ms.exec(readme)?.[1] ?? "";
  const block = (language: string, begins: string) =>
    Array.from(section.matchAll(/^```(\w+)\n(.*?)^```$/gms)).find(
      ([, named, text]) => named === language && text?.startsWith(begins),
    )?.[2] as string;
  writeFileSync(path.join(cwd, "data", "people.ndjson"), block("json", "{"));
  writeFileSync(path.join(cwd, "people.yaml"), block("yaml", "connectors:"));
  const outcomes: [string, number | null][] = [];
  for (const line of block("sh", "npx sluice lint").trim().split("\n")) {
    const command = line.replace(/ +#.*/, "").replace(/^npx sluice /, "");
    const { code, stdout } = await node.sluice(...command.split(" "));
    outcomes.push([command, code]);
    if (command.startsWith("dlq")) expect(stdout).toContain("people.ndjson:3");
  }
  expect(outcomes).toEqual([
    ["lint people.yaml", 0],
    ["preview people.yaml", 1],
    ["apply people.yaml", 0],
    ["run people", 1],
    ["dlq list people", 0],
  ]);
  expect(readFileSync(path.join(cwd, "data", "adults.ndjson"), "utf8")).toContain('"Ada LOVELACE"');
});
