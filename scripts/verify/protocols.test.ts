import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "./command.ts";
import { checkProtocols } from "./protocols.ts";

test.each([
  ["a field that plugins read is taken away", "  string stream = 2;\n", "", /field "2" with name "stream"/],
  [
    "a field changes its type",
    "uint32 batch_records = 6",
    "uint64 batch_records = 6",
    /type from "uint32" to "uint64"/,
  ],
  ["a code changes its meaning", "CODE_CONFLICT = 5", "CODE_COLLISION = 5", /from "CODE_CONFLICT" to "CODE_COLLISION"/],
])("the protocols are refused where %s", async (_what, before, after, message) => {
  const protos = mkdtempSync(join(tmpdir(), "sluice protos "));
  onTestFinished(() => rmSync(protos, { recursive: true }));
  cpSync(join(root, "proto"), protos, { recursive: true });
  for (const name of ["connector", "record"]) {
    const file = join(protos, `sluice/${name}/v1/${name}.proto`);
    writeFileSync(file, readFileSync(file, "utf8").replace(before, after));
  }
  const { code, output } = await checkProtocols(protos);
  expect(output).toMatch(message);
  expect(code).not.toBe(0);
});
