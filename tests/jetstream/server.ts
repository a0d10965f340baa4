import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer } from "../../adapters/embedded/nats-server.ts";
import { freePort } from "../../adapters/embedded/ports.ts";

/** A nats-server of a test's own, which the test may kill and start again on the same port and folder. */
export interface TestServer {
  readonly url: string;
  readonly pid: number;
  /** Of its data. */
  readonly folder: string;
  /** Starts it (again) and resolves when its port answers. */
  start(): Promise<void>;
  /** As `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Kills it and removes its folder. */
  remove(): Promise<void>;
}

export interface TestServerOptions {
  readonly maxPayload?: number;
  /** Its `sync_interval`; left out: always. */
  readonly sync?: string;
  /** More lines for `jetstream { }`. */
  readonly jetstream?: string;
  /** More lines beside it. */
  readonly more?: string;
  readonly folder?: string;
}

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { path } = await findNatsServer();
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "sluice nats ")));
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const config = join(folder, "nats.conf");
  await writeFile(
    config,
    [
      `listen: "127.0.0.1:${port}"`,
      `max_payload: ${options.maxPayload ?? 1024 * 1024}`,
      `jetstream { store_dir: ${JSON.stringify(folder)}, sync_interval: ${options.sync ?? "always"}\n ${options.jetstream ?? ""} }`,
      options.more ?? "",
    ].join("\n"),
  );
  let child: ChildProcess | undefined;
  const server: TestServer = {
    url: `nats://127.0.0.1:${port}`,
    folder,
    get pid() {
      return child?.pid ?? -1;
    },
    async start() {
      const started = spawn(path, ["--config", config], { stdio: "ignore" });
      child = started;
      while (!(await answers(port))) {
        if (started.exitCode !== null) throw new Error(`nats-server ended with code ${started.exitCode}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
    async remove() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
