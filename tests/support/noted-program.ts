import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const noted = fileURLToPath(new URL("../plugin/programs/noted.ts", import.meta.url));

/** Writes a program that may be run: a script of one line. */
export function writeProgram(root: string, file: string, line: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${line}\n`);
  chmodSync(path, 0o755);
}

/** Starts the plugin `noted` in a version. */
export const notedLine = (version: string): string => `exec '${process.execPath}' '${noted}' ${version}`;
