import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Trial } from "../../cli/certify/trial.ts";
import { type CheckResult, checksOf, type Fixture, runChecks } from "../../connectors/conformance/suite.ts";
import { tempDir } from "../support/temp-dir.ts";
import { clear, type Flaw, flawedType, flaws, password, programFlaws, records, stored } from "./flawed-type.ts";

const program = (name: string) => fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
const limitMs = 60_000;

function fixtureIn(folder: string): Fixture {
  const config = { folder, password };
  return {
    context: { dataDir: folder, fileRoots: [] },
    config,
    badConfigs: [{ config: { folder: join(folder, "missing"), password }, path: "config.folder" }],
    badCredentials: [{ folder, password: "another password" }],
    source: {
      stream: "in",
      mode: "full",
      records,
      missing: { stream: "inn", path: "source.stream" },
      limited: { ...config, limit: true },
      drift: async () => writeFileSync(join(folder, "drift"), ""),
    },
    destination: {
      stream: "out",
      modes: ["append"],
      records: records.slice(0, 8),
      refused: { id: 99, name: "" },
      limited: { ...config, limit: true },
      stored: async () => stored(folder),
      clear: async () => clear(folder),
    },
    lookup: { requests: [{ id: 2 }, { id: 1 }], answers: [records[2]!, records[1]!], refused: { id: -1 } },
    close: async () => {},
  };
}

/** The checks of an id, and those of the whole suite where none is named. */
async function tried(flaw: Flaw, only?: string): Promise<CheckResult[]> {
  const type = flawedType(flaw);
  const fixture = fixtureIn(tempDir());
  const connector = type.create(fixture.config, fixture.context);
  const checks = checksOf(type).filter(({ id }) => only === undefined || id === only);
  return runChecks({ type, fixture, connector }, checks, { limitMs });
}

const failedIn = (results: readonly CheckResult[]) =>
  results.flatMap(({ id, status, reason }) => (status === "failed" ? [`${id}: ${reason}`] : []));

test("the flaws are those that docs/connectors/certification.md lists", () => {
  const file = fileURLToPath(new URL("../../docs/connectors/certification/flaws.json", import.meta.url));
  const all = { ...flaws, ...programFlaws };
  if (process.env.SLUICE_CERTIFY === "write") writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(all);
});

describe("within this process", () => {
  test("one without a flaw passes every check", async () => {
    const results = await tried("none");
    expect(failedIn(results)).toEqual([]);
    const skipped = results.filter(({ status }) => status === "skipped");
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(
      new Set(["it is no plugin", "its process is not ours to end and to look at"]),
    );
  });

  test.each(Object.entries(flaws) as [Flaw, string][])("%s fails %s", async (flaw, id) => {
    const [result, ...more] = await tried(flaw, id);
    expect(more).toEqual([]);
    expect(result).toMatchObject({ id, status: "failed", reason: expect.stringMatching(/^.+$/s) });
  });
});

describe.runIf(process.platform === "linux").concurrent("as a program of its own", () => {
  const start = (name: string, flaw: string) =>
    Trial.start({ command: [process.execPath, program(name)] }, { SLUICE_TEST_FAULT: flaw });

  test.for(Object.entries({ none: "", ...programFlaws }) as [Flaw, string][])(
    "%s fails %s",
    async ([flaw, id], { onTestFinished }) => {
      const trial = await start("flawed", flaw);
      try {
        const fixture = fixtureIn(tempDir(onTestFinished));
        const { type } = trial;
        const connector = type.create(fixture.config, fixture.context);
        // Without a flaw, all that the others fail, and what no built-in type and no example asks for.
        const ids = new Set<string>(id === "" ? [...Object.values(programFlaws), "lifecycle.again"] : [id]);
        const checks = checksOf(type).filter((check) => ids.has(check.id));
        const results = await runChecks({ type, fixture, connector, plugin: trial, quick: true }, checks, { limitMs });
        if (id === "") expect(results.filter(({ status }) => status !== "passed")).toEqual([]);
        else expect(results).toMatchObject([{ id, status: "failed", reason: expect.stringMatching(/^.+$/s) }]);
      } finally {
        await trial.stop();
      }
    },
  );

  test("one on the bare protocol that keeps to nothing fails its checks", async ({ onTestFinished }) => {
    const trial = await start("bad", "");
    try {
      const { type } = trial;
      const fixture = { ...fixtureIn(tempDir(onTestFinished)), config: {} };
      const connector = type.create({}, fixture.context);
      const ids = ["spec.protocol", "spec.health", "read.credit", "check.good"];
      const checks = checksOf(type).filter(({ id }) => ids.includes(id));
      const results = await runChecks({ type, fixture, connector, plugin: trial, quick: true }, checks, { limitMs });
      expect(results.map(({ status }) => status)).toEqual(["failed", "failed", "failed", "failed"]);
      expect(failedIn(results)).toEqual([
        expect.stringContaining("offered version 4711 alone, it took version 1"),
        expect.stringContaining("grpc.health.v1.Health: 12 UNIMPLEMENTED"),
        expect.stringContaining("FORBIDDEN: plugin under trial: not for you"),
        expect.stringContaining("with credit for 0 records it sent 3"),
      ]);
    } finally {
      await trial.stop();
    }
  });
});
