import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freePort, lockDataDir, type ServerHandle, startNats, startPostgres } from "../../adapters/embedded/index.ts";
import { isAlive } from "../../adapters/embedded/processes.ts";
import { connectNats } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";

const OWNER = fileURLToPath(new URL("programs/owner.ts", import.meta.url));

test("nats-server comes up with JetStream, fsyncs what it acknowledges, and keeps it over a restart", async () => {
  const dataDir = tempDir();
  const first = await started(startNats({ dataDir, port: 0 }));
  const connection = await connectNats(first.url);
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "kept", subjects: ["kept"] });
  expect(connection.info?.max_payload).toBe(8 * 1024 * 1024);
  await jetstream(connection).publish("kept", new Uint8Array(5_000_000));
  await connection.close();
  await first.stop();

  const second = await started(startNats({ dataDir, port: 0 }));
  const again = await jetstreamManager(await connectNats(second.url));
  expect((await again.streams.info("kept")).state.messages).toBe(1);
});

test("only who knows the password gets in, and only the user can read it", async () => {
  const dataDir = tempDir();
  const [nats, postgres] = await Promise.all([
    started(startNats({ dataDir, port: 0 })),
    started(startPostgres({ dataDir, port: 0 })),
  ]);
  await expect(connectNats(nats.url.replace(/:[0-9a-f]{64}@/, ":guess@"))).rejects.toThrow(/authorization/i);
  await expect(value(postgres.url.replace(/:[0-9a-f]{64}@/, ":guess@"), "SELECT 1")).rejects.toThrow(/password/);
  for (const file of ["nats/password", "nats/nats.conf", "postgres/password"]) {
    expect(statSync(join(dataDir, file)).mode & 0o077).toBe(0);
  }
});

test("Postgres comes up durable, in UTF-8, with logical replication, and keeps its data over a restart", async () => {
  const dataDir = tempDir();
  const first = await started(startPostgres({ dataDir, port: 0 }));
  const setting = (name: string) => value(first.url, `SELECT current_setting('${name}')`);
  expect(await setting("fsync")).toBe("on");
  expect(await setting("synchronous_commit")).toBe("on");
  expect(await setting("server_encoding")).toBe("UTF8");
  expect(await setting("wal_level")).toBe("logical");
  expect(await setting("listen_addresses")).toBe("127.0.0.1");
  await value(first.url, "CREATE TABLE kept AS SELECT 'ä' AS letter");
  await first.stop();

  const second = await started(startPostgres({ dataDir, port: 0 }));
  expect(await value(second.url, "SELECT letter FROM kept")).toBe("ä");
});

test("a nats-server that is killed is started again on its port, with what it had acknowledged", async () => {
  const nats = await started(startNats({ dataDir: tempDir(), port: 0 }));
  const connection = await connectNats(nats.url);
  await (await jetstreamManager(connection)).streams.add({ name: "kept", subjects: ["kept"] });
  await jetstream(connection).publish("kept");
  await connection.close();

  await killed(nats);
  const manager = await jetstreamManager(await connectNats(nats.url));
  expect((await manager.streams.info("kept")).state.messages).toBe(1);
});

test("a Postgres that is killed is started again on its port, with what was committed", async () => {
  const postgres = await started(startPostgres({ dataDir: tempDir(), port: 0 }));
  await value(postgres.url, "CREATE TABLE kept AS SELECT 1 AS one");

  await killed(postgres);
  expect(await value(postgres.url, "SELECT one FROM kept")).toBe(1);
});

test("both servers end within two seconds when the node is killed, and start again on the same folder", async () => {
  const dataDir = tempDir();
  const owner = spawn(process.execPath, [OWNER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(owner.stdout), "line")) as [string];
  const pids = Object.values(JSON.parse(line) as Record<string, number>);
  expect(pids.map(isAlive)).toEqual([true, true]);

  owner.kill("SIGKILL");
  await expect.poll(() => pids.map(isAlive), { interval: 20 }).toEqual([false, false]);

  await started(startNats({ dataDir, port: 0 }));
  await started(startPostgres({ dataDir, port: 0 }));
});

test("a server that outlived its node is ended before a new one starts on its data", async () => {
  const dataDir = tempDir();
  const first = await started(startPostgres({ dataDir, port: 0 }));
  const cluster = String(await value(first.url, "SELECT current_setting('data_directory')"));
  await first.stop();
  // What tells a leftover is its command line: a process that has the server's would be one.
  const leftover = (path: string) => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", path], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  };
  mkdirSync(join(dataDir, "nats"));
  const leftovers = [leftover(join(dataDir, "nats", "nats.conf")), leftover(cluster)] as const;
  writeFileSync(join(dataDir, "nats", "nats.pid"), String(leftovers[0].pid));
  writeFileSync(join(cluster, "postmaster.pid"), `${leftovers[1].pid}\n${cluster}\n0\n0\n\n127.0.0.1\n`);

  await Promise.all([started(startNats({ dataDir, port: 0 })), started(startPostgres({ dataDir, port: 0 }))]);
  expect(leftovers.map((child) => isAlive(child.pid!))).toEqual([false, false]);
});

test("pid files of a crash whose process id belongs to another program now are ignored", async () => {
  const dataDir = tempDir();
  const first = await started(startPostgres({ dataDir, port: 0 }));
  const cluster = await value(first.url, "SELECT current_setting('data_directory')");
  await first.stop();
  writeFileSync(join(String(cluster), "postmaster.pid"), `${process.pid}\n${cluster}\n0\n0\n\n127.0.0.1\n`);
  mkdirSync(join(dataDir, "nats"));
  writeFileSync(join(dataDir, "nats", "nats.pid"), String(process.pid));

  const [nats, postgres] = await Promise.all([
    started(startNats({ dataDir, port: 0 })),
    started(startPostgres({ dataDir, port: 0 })),
  ]);
  expect([nats.status.state, postgres.status.state]).toEqual(["ready", "ready"]);
});

test("a port that is taken is refused with the setting to change", async () => {
  const port = await freePort();
  const other = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const dataDir = tempDir();
  await expect(startNats({ dataDir, port })).rejects.toThrow(`port ${port} for the embedded nats-server is taken`);
  await expect(startNats({ dataDir, port })).rejects.toThrow("SLUICE_NATS_PORT");
  await expect(startPostgres({ dataDir, port })).rejects.toThrow("SLUICE_POSTGRES_PORT");
});

test("a server that cannot start is reported with the last lines of its log", async () => {
  const dataDir = tempDir();
  const first = await started(startPostgres({ dataDir, port: 0 }));
  const cluster = String(await value(first.url, "SELECT current_setting('data_directory')"));
  await first.stop();
  writeFileSync(join(cluster, "PG_VERSION"), "9\n");
  await expect(startPostgres({ dataDir, port: 0 })).rejects.toThrow(/postgres\.log.*\n.*initialized by PostgreSQL/s);
});

test("a second node on the data folder is refused with the first one's process id and the setting to change", async () => {
  const dataDir = join(tempDir(), "data");
  const lock = await lockDataDir(dataDir);
  await expect(lockDataDir(dataDir)).rejects.toThrow(new RegExp(`process ${process.pid}.*SLUICE_DATA_DIR`));
  lock.release();
  (await lockDataDir(dataDir)).release();
});

test("the lock of a node that was killed, its process id in use again or not, does not stop the next", async () => {
  const dataDir = tempDir();
  const child = spawn("true");
  await once(child, "exit");
  for (const owner of [
    { pid: child.pid, since: Date.now() },
    { pid: process.pid, since: Date.now() - 3_600_000 },
    "half a li",
  ]) {
    writeFileSync(join(dataDir, "sluice.lock"), JSON.stringify(owner));
    (await lockDataDir(dataDir)).release();
  }
});

async function started(starting: Promise<ServerHandle>): Promise<ServerHandle> {
  const server = await starting;
  onTestFinished(() => server.stop());
  return server;
}

/** Kills a server and resolves when it is ready again, as another process. */
async function killed(server: ServerHandle): Promise<void> {
  const pid = server.pid!;
  const states: string[] = [];
  const ready = new Promise<void>((resolve) => {
    server.onStatus((status) => {
      states.push(status.state);
      if (status.state === "ready") resolve();
    });
  });
  process.kill(pid, "SIGKILL");
  await ready;
  expect(states[0]).toBe("restarting");
  expect(server.pid).not.toBe(pid);
}

async function value(connectionString: string, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query({ text: query, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end().catch(() => undefined);
  }
}
