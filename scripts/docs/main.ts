// Writes what in docs/ is generated from the definitions; scripts/docs/docs.test.ts compares.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { generatedFiles } from "./files.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
for (const [name, text] of Object.entries(await generatedFiles())) {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), text);
  process.stdout.write(`wrote ${name}\n`);
}
