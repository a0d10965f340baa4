import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const sdk = path.join(root, "connectors", "sdk");

/** Builds @sluice/connector-sdk as JavaScript with types, and packs it into `folder`. Returns the path of the .tgz. */
export async function packSdk(folder: string): Promise<string> {
  const stage = mkdtempSync(path.join(tmpdir(), "sluice-sdk-"));
  try {
    const entries = ["index.ts", "serve/index.ts", "http/index.ts"].map((name) => path.join(sdk, name));
    const config = {
      extends: path.join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        allowImportingTsExtensions: false,
        rewriteRelativeImportExtensions: true,
        declaration: true,
        rootDir: root,
        outDir: path.join(stage, "dist"),
        typeRoots: [path.join(root, "node_modules", "@types")],
      },
      include: [],
      files: entries,
    };
    const project = path.join(stage, "tsconfig.json");
    writeFileSync(project, JSON.stringify(config));
    await run(process.execPath, [path.join(root, "node_modules/@typescript/native/bin/tsc"), "-p", project]);
    rmSync(project);
    for (const name of ["package.json", "README.md"]) cpSync(path.join(sdk, name), path.join(stage, name));
    cpSync(path.join(root, "LICENSE"), path.join(stage, "LICENSE"));
    mkdirSync(folder, { recursive: true });
    await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", path.resolve(folder)], {
      cwd: stage,
    });
    const packed = readdirSync(folder).find((name) => /^sluice-connector-sdk-.*\.tgz$/.test(name));
    if (packed === undefined) throw new Error(`npm pack wrote nothing to ${folder}`);
    return path.join(folder, packed);
  } catch (error) {
    const { stdout = "", message } = error as Error & { stdout?: string };
    throw new Error(`the SDK cannot be built: ${message}\n${stdout}`.trim());
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
