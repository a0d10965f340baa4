import { type ChildProcess, spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { SandboxLimits } from "../../runtime/ports/sandbox.ts";
import { FrameReader, frame } from "./frames.ts";

const folder = realpathSync(path.dirname(fileURLToPath(import.meta.url)));

/**
 * How a program of this folder is started so that it can do nothing but compute: it reads itself and isolated-vm, loads
 * that one's native code, and has no environment. (/etc/alpine-release is how that code's loader tells C libraries
 * apart.)
 */
export function confined(program: string): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const require = createRequire(import.meta.url);
  const vm = path.dirname(require.resolve("isolated-vm/package.json"));
  const loader = path.dirname(createRequire(path.join(vm, "package.json")).resolve("node-gyp-build/package.json"));
  const readable = [folder, realpathSync(vm), realpathSync(loader), "/etc/alpine-release"];
  return {
    args: [
      "--permission",
      "--allow-addons",
      ...readable.map((file) => `--allow-fs-read=${file}`),
      "--no-warnings",
      "--no-node-snapshot",
      path.join(folder, program),
    ],
    env: {},
  };
}

export interface SandboxProcess {
  readonly pid: number | undefined;
  send(id: number, text: string): void;
  /** Resolves when it takes requests; rejects with what it said when it does not start. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  /** Whether this process has to wait for it: it need not end itself for something that nobody waits for. */
  hold(held: boolean): void;
  kill(): void;
}

export function startProcess(limits: SandboxLimits, onAnswer: (id: number, text: string) => void): SandboxProcess {
  const { args, env } = confined("program.ts");
  const child = spawn(process.execPath, [...args, JSON.stringify(limits)], { env, stdio: ["pipe", "pipe", "pipe"] });
  const said = lastOf(child.stderr);
  let begun = false;
  const ready = Promise.withResolvers<void>();
  const reader = new FrameReader((id, text) => {
    if (id !== 0) return onAnswer(id, text);
    begun = true;
    ready.resolve();
  });
  child.stdout.on("data", (piece: Buffer) => reader.push(piece));
  child.stdin.on("error", () => undefined); // it is gone, and `ended` tells
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      ready.reject(new Error(`the script sandbox does not start: ${error.message}`));
      resolve();
    });
    child.once("close", (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      if (!begun) ready.reject(new Error(`the script sandbox does not start (${how}): ${said()}`));
      resolve();
    });
  });
  ready.promise.catch(() => undefined);
  return {
    pid: child.pid,
    ready: ready.promise,
    ended,
    send: (id, text) => child.stdin.write(frame(id, text)),
    hold: (held) => hold(child, held),
    kill: () => child.kill("SIGKILL"),
  };
}

function hold(child: ChildProcess, held: boolean): void {
  for (const one of [child, child.stdin, child.stdout, child.stderr] as { ref?(): void; unref?(): void }[]) {
    if (held) one.ref?.();
    else one.unref?.();
  }
}

function lastOf(stream: Readable): () => string {
  let text = "";
  stream.on("data", (piece: Buffer) => (text = (text + piece.toString()).slice(-2_000)));
  return () => text.trim();
}
