import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheDir } from "../../adapters/embedded/cache-dir.ts";

const run = promisify(execFile);
const protos = fileURLToPath(new URL("../../proto", import.meta.url));
const files = ["sluice/connector/v1/connector.proto", "sluice/record/v1/record.proto"];

/** A Python with what a file of requirements names. */
export async function venvFor(requirements: string): Promise<string> {
  const folder = await cached("venv", [requirements], async (folder) => {
    await run("python3", ["-m", "venv", folder]);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
    await run(join(folder, "bin", "python"), install);
  });
  return join(folder, "bin", "python");
}

/** A Python with a plugin's requirements, and what protoc makes of the .proto files on its path. */
export async function pythonFor(requirements: string): Promise<{ python: string; path: string }> {
  const python = await venvFor(requirements);
  const sources = [requirements, ...files.map((file) => join(protos, file))];
  const path = await cached("python", sources, async (folder) => {
    const out = [`-I${protos}`, `--python_out=${folder}`, `--grpc_python_out=${folder}`];
    await run(python, ["-m", "grpc_tools.protoc", ...out, ...files], { cwd: protos });
  });
  return { python, path };
}

/** A folder that is made once of what some files hold, in the place where it stays: a venv cannot be moved. */
async function cached(name: string, of: readonly string[], make: (folder: string) => Promise<void>): Promise<string> {
  const hash = createHash("sha256");
  for (const file of of) hash.update(readFileSync(file));
  const folder = join(cacheDir(), `${name}-${hash.digest("hex").slice(0, 16)}`);
  const ready = join(folder, "ready");
  if (existsSync(ready)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await make(folder);
  writeFileSync(ready, "");
  return folder;
}
