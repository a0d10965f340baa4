import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { tempDir } from "../support/temp-dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A project of a few files under the project's own rules. */
const HARMLESS = {
  "connectors/sdk/index.ts": "export class ConnectorError extends Error {}\nexport interface Source { read(): void }\n",
  "connectors/file/index.ts":
    'import { ConnectorError } from "../sdk/index.ts";\nexport const file = ConnectorError;\n',
  "runtime/stream/index.ts":
    'import { Observable } from "rxjs";\nimport { join } from "node:path";\nimport type { Source } from "../../connectors/sdk/index.ts";\nexport const open = (source: Source) => [source, Observable, join];\n',
  "adapters/postgres/index.ts": 'import { open } from "../../runtime/stream/index.ts";\nexport const store = open;\n',
  "actors/source.ts":
    'import { open } from "../runtime/stream/index.ts";\nimport { ConnectorError } from "../connectors/sdk/index.ts";\nexport interface Run { id: string }\nexport const actor = [open, ConnectorError];\n',
  "gateway/rest/index.ts": 'import type { Run } from "../../actors/source.ts";\nexport const run = (it: Run) => it;\n',
  "cli/main.ts":
    'import { file } from "../connectors/file/index.ts";\nimport { store } from "../adapters/postgres/index.ts";\nimport { actor } from "../actors/source.ts";\nexport const all = [file, store, actor];\n',
};

/** By planted file: its text, and the rule that refuses it. */
const PLANTED: Record<string, [rule: string, text: string]> = {
  "runtime/a.ts": ["runtime-is-the-kernel", 'export { store } from "../adapters/postgres/index.ts";'],
  "runtime/b.ts": [
    "runtime-takes-only-types-of-the-sdk",
    'export { ConnectorError } from "../connectors/sdk/index.ts";',
  ],
  "runtime/c.ts": ["runtime-has-no-vendor", 'import pg from "pg";\nexport default pg;'],
  "runtime/d.ts": ["runtime-has-no-vendor", 'import type pg from "pg";\nexport type Client = pg.Client;'],
  "runtime/e.ts": ["no-cycles", 'import type { f } from "./f.ts";\nexport const e = (it: typeof f) => it;'],
  "adapters/other/a.ts": ["adapters-import-runtime", 'export { actor } from "../../actors/source.ts";'],
  "adapters/other/b.ts": ["adapters-import-runtime", 'export { store } from "../postgres/index.ts";'],
  "actors/a.ts": ["actors-import-runtime", 'export { store } from "../adapters/postgres/index.ts";'],
  "connectors/sdk/a.ts": ["the-sdk-stands-alone", 'export type { open } from "../../runtime/stream/index.ts";'],
  "connectors/http/a.ts": ["connectors-import-the-sdk", 'export { file } from "../file/index.ts";'],
  "connectors/http/b.ts": ["connectors-import-the-sdk", 'export { open } from "../../runtime/stream/index.ts";'],
  "gateway/a.ts": ["gateway-imports-runtime", 'export { store } from "../adapters/postgres/index.ts";'],
  "gateway/b.ts": ["gateway-takes-only-types-of-actors-and-the-sdk", 'export { actor } from "../actors/source.ts";'],
  "gateway/c.ts": ["nobody-imports-cli", 'export type { all } from "../cli/main.ts";'],
  "cli/a.ts": ["nobody-imports-tests", 'export * from "../tests/helper.ts";'],
  "cli/b.ts": ["resolvable", 'export * from "./nowhere.ts";'],
};

test("imports that follow the rules are let through", () => {
  expect(cruise({})).toEqual({ status: 0, violations: [] });
});

test("every rule refuses the violation that is planted for it", () => {
  const texts = Object.entries(PLANTED).map(([path, [, text]]) => [path, text]);
  const { status, violations } = cruise({
    ...Object.fromEntries(texts),
    "runtime/f.ts": 'import { e } from "./e.ts";\nexport const f = e;',
    "tests/helper.ts": "export {};",
  });
  expect(status).not.toBe(0);
  const planted = Object.entries(PLANTED).map(([path, [rule]]) => `${rule}: ${path}`);
  expect(violations).toEqual(expect.arrayContaining(planted));
});

/** Runs dependency-cruiser as `verify` does, on the harmless project with `planted` added. */
function cruise(planted: Record<string, string>): { status: number | null; violations: string[] } {
  const folder = tempDir();
  for (const file of ["package.json", "tsconfig.json", ".dependency-cruiser.cjs"]) {
    cpSync(join(ROOT, file), join(folder, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [path, text] of Object.entries({ ...HARMLESS, ...planted })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const program = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const folders = ["runtime", "actors", "adapters", "connectors", "gateway", "cli"];
  const { status, stdout } = spawnSync(process.execPath, [program, "--config", ".dependency-cruiser.cjs", ...folders], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1" },
    encoding: "utf8",
  });
  return { status, violations: [...stdout.matchAll(/^ *error (\S+: \S+)/gm)].map(([, violation]) => violation!) };
}
