import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { MakeOptions } from "./make-options.ts";

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL("../../deploy/services/nats", import.meta.url));

/** Builds nats-server from the pinned go.mod, whose go.sum verifies every download. */
export async function buildNatsServer({ folder, env, progress }: MakeOptions): Promise<string> {
  const version = await goVersion(env);
  progress(`building nats-server with ${version}, once (about half a minute) …`);
  const start = performance.now();
  const file = join(folder, "nats-server");
  const settings = {
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "",
    // An older Go fetches the one that go.mod asks for.
    GOTOOLCHAIN: "auto",
  };
  const args = ["build", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/nats-io/nats-server/v2"];
  try {
    await run("go", args, { cwd: MODULE, env: { ...env, ...settings }, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`${version} failed: ${lastLines(stderr ?? String(error))}`);
  }
  progress(`built nats-server in ${((performance.now() - start) / 1000).toFixed(1)} s`);
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
