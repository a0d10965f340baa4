import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { MakeOptions } from "./make-options.ts";

const run = promisify(execFile);

/** A program in Go, at the version that a folder of deploy/services pins by its go.mod; its go.sum verifies downloads. */
export interface GoProgram {
  readonly name: string;
  /** Folder of the go.mod. */
  readonly module: string;
  /** Import path of the program. */
  readonly package: string;
  /** Build tags. */
  readonly tags?: string;
  /** How long a build takes, `half a minute` unless said otherwise. */
  readonly takes?: string;
}

export function goProgram(
  name: string,
  folder: string,
  importPath: string,
  more: Pick<GoProgram, "tags" | "takes"> = {},
): GoProgram {
  const module = fileURLToPath(new URL(`../../deploy/services/${folder}`, import.meta.url));
  return { name, module, package: importPath, ...more };
}

/** Builds it, and returns the path of the binary. Throws one sentence where Go is missing, too old, or fails. */
export async function buildWithGo(
  program: GoProgram,
  { folder, env, progress }: Omit<MakeOptions, "version">,
): Promise<string> {
  const version = await goVersion(env);
  progress(`building ${program.name} with ${version}, once (about ${program.takes ?? "half a minute"}) …`);
  const start = performance.now();
  const file = join(folder, program.name);
  const settings = {
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "",
    // An older Go fetches the one that go.mod asks for.
    GOTOOLCHAIN: "auto",
  };
  const tags = program.tags === undefined ? [] : ["-tags", program.tags];
  const args = ["build", "-trimpath", ...tags, "-ldflags", "-s -w", "-o", file, program.package];
  try {
    await run("go", args, { cwd: program.module, env: { ...env, ...settings }, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`${version} failed: ${lastLines(stderr ?? String(error))}`);
  }
  progress(`built ${program.name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return file;
}

async function goVersion(env: NodeJS.ProcessEnv): Promise<string> {
  let output: string;
  try {
    output = (await run("go", ["version"], { env })).stdout;
  } catch {
    throw new Error("Go is not on PATH");
  }
  const [, version = "", minor = "0"] = /go(1\.(\d+)\S*)/.exec(output) ?? [];
  if (Number(minor) < 21) throw new Error(`Go ${version} is too old: 1.21 and later can fetch what go.mod asks for`);
  return `Go ${version}`;
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-3).join(" / ");
}
