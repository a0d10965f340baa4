import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheDir } from "../../adapters/embedded/cache-dir.ts";

const run = promisify(execFile);
const protos = fileURLToPath(new URL("../../proto", import.meta.url));
const files = ["sluice/connector/v1/connector.proto", "sluice/record/v1/record.proto"];

/** A Python with a plugin's requirements, and what protoc makes of the .proto files on its path. Made once, in the cache. */
export async function pythonFor(requirements: string): Promise<{ python: string; path: string }> {
  const hash = createHash("sha256").update(readFileSync(requirements));
  for (const file of files) hash.update(readFileSync(join(protos, file)));
  const folder = join(cacheDir(), `python-${hash.digest("hex").slice(0, 16)}`);
  const made = { python: join(folder, "venv", "bin", "python"), path: join(folder, "gen") };
  if (existsSync(join(folder, "ready"))) return made;
  const lock = `${folder}.${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "gen"), { recursive: true });
  await run("python3", ["-m", "venv", join(folder, "venv")]);
  await run(made.python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  const out = [`-I${protos}`, `--python_out=${made.path}`, `--grpc_python_out=${made.path}`];
  await run(made.python, ["-m", "grpc_tools.protoc", ...out, ...files], { cwd: protos });
  mkdirSync(lock);
  renameSync(lock, join(folder, "ready"));
  return made;
}
