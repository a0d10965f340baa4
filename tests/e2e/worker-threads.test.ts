import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { compileMapping, MappingFailure } from "../../runtime/mapping/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { TestNode } from "../support/node.ts";

const records = 12_000;
/** As much work as a batch needs for the threads to be worth it, many times over. */
const mapping = Array.from({ length: 25 }, (_, i) => [
  { source: "$.at", destination: `at_${i}`, cast: "timestamp" },
  { source: "$.id", destination: `id_${i}`, when: "match($.name, '.*[0-9]+') && $.tags[?@ == 'b']" },
]).flat();
const rules = [{ source: "$.amount", destination: "amount", cast: "number" }, ...mapping];

/** Threads of the node that run steps; told apart by their names, where the system shows them. */
function stepsThreads(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).filter((id) => nameOf(join(tasks, id, "comm")) === "steps").length;
}

function nameOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return ""; // it ended in between
  }
}

test("a heavy mapping on worker threads writes what it writes on one thread, in order, also across kill -9", async () => {
  const node = await TestNode.start();
  const { api, files } = node;
  const lines = Array.from({ length: records }, (_, id) => {
    const amount = id % 1000 === 999 ? '"none"' : `${id}.12345678901234567890`;
    return `{"id":${id},"name":"user ${id}","at":"2026-01-02T03:04:05+01:00","tags":["a","b"],"amount":${amount}}`;
  });
  const expected = lines.flatMap((line) => {
    try {
      return JSON.stringify(mapped(parseJson(line) as JsonObject));
    } catch (error) {
      if (error instanceof MappingFailure) return [];
      throw error;
    }
  });
  writeFileSync(join(files, "in.ndjson"), lines.join("\n"));
  await api.connector("files", "file", { path: files });
  const heavy = (stream: string) =>
    api.integration({
      name: stream.replace(".ndjson", ""),
      source: { connector: "files", stream: "in.ndjson" },
      destination: { connector: "files", stream, mode: "replace" },
      mapping_spec: rules,
    });

  const id = await heavy("out.ndjson");
  const run = await api.run(id);
  if (process.platform === "linux" && availableParallelism() > 1) {
    await expect.poll(() => stepsThreads(node.pid), { interval: 10 }).toBeGreaterThan(0);
  }
  const failed = records / 1000;
  const counts = { records_in: records, records_out: records - failed, records_failed: failed };
  expect(await api.ended(run)).toMatchObject({ status: "partial", ...counts });
  expect(written("out.ndjson")).toEqual(expected);
  const letters = await api.deadLetters<{ rule: number; position: { ordinal: number } }>(id);
  const places = letters.map(({ rule, position }) => [rule, position.ordinal]);
  expect(places.toSorted(([, a = 0], [, b = 0]) => a - b)).toEqual(
    Array.from({ length: failed }, (_, n) => [0, (n + 1) * 1000]),
  );
  if (process.platform === "linux") await expect.poll(() => stepsThreads(node.pid)).toBe(0);

  const broken = await api.run(await heavy("again.ndjson"));
  await api.until(broken, ({ records_in }) => records_in > records / 4);
  await node.kill();
  await node.start();
  expect(await api.ended(broken)).toMatchObject({ status: "partial", ...counts });
  expect(new Set(written("again.ndjson"))).toEqual(new Set(expected));

  function written(name: string): string[] {
    return readFileSync(join(files, name), "utf8").trimEnd().split("\n");
  }
});

const mapped = compileMapping(rules).apply;
