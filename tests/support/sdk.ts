import { execFile } from "node:child_process";
import { cpSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packSdk } from "../../scripts/sdk/build.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** What npm would install of a packed SDK into `folder`: the package itself, and its dependencies from the clone. */
export async function installSdk(folder: string, tgz?: string): Promise<void> {
  const modules = join(folder, "node_modules");
  for (const scope of ["@sluice", "@grpc", "@bufbuild", "@types"]) mkdirSync(join(modules, scope), { recursive: true });
  await run("tar", ["-xzf", tgz ?? (await packSdk(folder)), "-C", modules]);
  renameSync(join(modules, "package"), join(modules, "@sluice", "connector-sdk"));
  for (const name of ["@grpc/grpc-js", "@bufbuild/protobuf", "@types/node"]) {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
}

/** A folder of examples/plugins, copied to where the SDK is installed. */
export async function installExample(name: string, folder: string): Promise<string> {
  const copy = join(folder, name);
  cpSync(join(root, "examples", "plugins", name), copy, { recursive: true });
  await installSdk(copy);
  return copy;
}
