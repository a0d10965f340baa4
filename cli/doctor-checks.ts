import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { cacheDir } from "../adapters/embedded/cache-dir.ts";
import { isNewEnough, NATS_VERSION, parseVersion } from "../adapters/embedded/nats-server.ts";
import { findPostgres } from "../adapters/embedded/postgres-binaries.ts";
import { messageOf } from "../runtime/errors/index.ts";
import { createClient, type List } from "./client.ts";
import { serverToken, serverUrl } from "./settings.ts";
import { type Fetch, trustingFetch } from "./trusting-fetch.ts";
import { unreadVariables } from "./unread-variables.ts";

interface Integration {
  readonly name: string;
  readonly health: string;
  readonly health_reason: string | null;
}

export interface Check {
  readonly name: string;
  /** `warn`: a node starts, but look at it; `fail`: it would not. */
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
}

const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail });
const warn = (name: string, detail: string): Check => ({ name, status: "warn", detail });
const fail = (name: string, detail: string): Check => ({ name, status: "fail", detail });

export function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const newEnough = major > 24 || (major === 24 && minor >= 12);
  return (newEnough ? ok : fail)("node", `${process.version} at ${process.execPath}`);
}

/** Looks without building or downloading anything. */
export function natsCheck(url: string | undefined): Check {
  if (url !== undefined) return ok("nats-server", `SLUICE_NATS_URL names ${withoutPassword(url)}`);
  const onPath = versionOf("nats-server", "--version");
  if (onPath !== null && isNewEnough(onPath)) return ok("nats-server", `${onPath} on PATH`);
  const cached = path.join(cacheDir(), `nats-server-${NATS_VERSION}-${process.platform}-${process.arch}`);
  if (existsSync(cached)) return ok("nats-server", `${NATS_VERSION} in the cache, ${cached}`);
  const go = spawnSync("go", ["version"], { encoding: "utf8" });
  if (go.status === 0) return ok("nats-server", `will be built at the first start with ${go.stdout.trim()}`);
  return warn("nats-server", "none here: the first start downloads the official release, or set SLUICE_NATS_URL");
}

function versionOf(program: string, option: string): string | null {
  const { status, stdout } = spawnSync(program, [option], { encoding: "utf8" });
  return status === 0 ? parseVersion(stdout) : null;
}

export function postgresCheck(url: string | undefined): Check {
  if (url !== undefined) return ok("postgres", `SLUICE_DATABASE_URL names ${withoutPassword(url)}`);
  try {
    return ok("postgres", `embedded ${findPostgres().version}`);
  } catch (error) {
    return fail("postgres", messageOf(error));
  }
}

function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return "a server"; // Several, or in a form of its own: no risk is taken with what is secret.
  const parsed = new URL(url);
  parsed.password = "";
  parsed.search = "";
  return parsed.href;
}

/** `running`: a node of ours is up, and has the port most likely. */
export async function portCheck(name: string, port: number, setting: string, running: boolean): Promise<Check> {
  if (port === 0) return ok(name, "any that is free");
  const fault = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (fault === null) return ok(name, `${port} is free`);
  if (fault.code !== "EADDRINUSE") return fail(name, `${port} cannot be used (${fault.code}); set ${setting}`);
  const owner = ownerOf(port);
  const taken = `${port} is taken${owner === null ? "" : ` by ${owner}`}`;
  return running ? ok(name, `${taken}; a node is up`) : fail(name, `${taken}; set ${setting} to a free port`);
}

/** `nats-server (process 4711)`, as far as this machine tells. */
function ownerOf(port: number): string | null {
  const { status, stdout } = spawnSync("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], { encoding: "utf8" });
  if (status === 0) {
    const [, pid] = /^p(\d+)$/m.exec(stdout) ?? [];
    const [, command] = /^c(.+)$/m.exec(stdout) ?? [];
    if (pid !== undefined) return `${command ?? "a program"} (process ${pid})`;
  }
  const listed = spawnSync("ss", ["-ltnpH", `sport = :${port}`], { encoding: "utf8" });
  const [, command, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(listed.stdout ?? "") ?? [];
  return pid === undefined ? null : `${command} (process ${pid})`;
}

export function folderCheck(dataDir: string): Check {
  const folder = existing(dataDir);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const state = folder !== dataDir ? "will be made at the first start" : `${readdirSync(folder).length} entries`;
    return ok("data folder", `${dataDir} (${state})`);
  } catch (error) {
    return fail("data folder", `${dataDir} cannot be written: ${messageOf(error)}; set SLUICE_DATA_DIR`);
  }
}

export function diskCheck(dataDir: string): Check {
  const { bavail, bsize } = statfsSync(existing(dataDir));
  const gigabytes = (bavail * bsize) / 1e9;
  const detail = `${gigabytes.toFixed(1)} GB free`;
  if (gigabytes < 0.1) return fail("disk", detail);
  return gigabytes < 1 ? warn("disk", `${detail}; a full disk pauses every run`) : ok("disk", detail);
}

export const environmentChecks = (env: NodeJS.ProcessEnv): Check[] =>
  unreadVariables(env).map((unread) => warn("environment", unread));

/** The folder, or the nearest one above it that exists. */
function existing(folder: string): string {
  return existsSync(folder) ? folder : existing(path.dirname(folder));
}

/** Whether a server answers, is ready, and takes our token. */
export async function checkServer(): Promise<Check[]> {
  let url: string;
  let token: string | undefined;
  try {
    url = serverUrl();
    token = serverToken();
  } catch (error) {
    return [fail("server", messageOf(error))];
  }
  let answer: Awaited<ReturnType<Fetch>>;
  try {
    answer = await trustingFetch(process.env)(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
  } catch {
    return [warn("server", `nothing answers at ${url}; \`sluice up\` starts one`)];
  }
  const ready = answer.ok
    ? ok("server", `${url} is ready`)
    : warn("server", `${url} is not ready: ${await answer.text()}`);
  if (token === undefined) return [ready, warn("token", "there is none; set SLUICE_TOKEN or SLUICE_DATA_DIR")];
  try {
    await createClient().call("GET", "/v1/connectors?limit=1");
  } catch (error) {
    return [ready, warn("token", messageOf(error))];
  }
  return [ready, ok("token", "the server takes it"), await integrationsCheck(), await lossesCheck()];
}

async function integrationsCheck(): Promise<Check> {
  const ill: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: List<Integration> = await createClient().call("GET", `/v1/integrations?limit=100${query}`);
    for (const { name, health, health_reason } of page.items) {
      if (health === "stopped" || health === "degraded") ill.push(`${name} is ${health}: ${health_reason}`);
    }
    cursor = page.next_cursor;
  }
  return ill.length === 0 ? ok("integrations", "none is stopped or degraded") : warn("integrations", ill.join("; "));
}

/** What logs or store have lost, as far as the node has found it since its start. */
async function lossesCheck(): Promise<Check> {
  const metrics = await createClient().text("/metrics");
  const losses = metrics.matchAll(/^sluice_losses_found_total\{integration="([^"]*)",kind="([^"]*)"\} [1-9]/gm);
  const found = Array.from(losses, ([, integration, kind]) => `${kind?.replaceAll("_", " ")}: ${integration}`);
  if (found.length === 0) return ok("lost data", "none found");
  return warn("lost data", `${found.join(", ")} (level error in sluice.log says what became of it)`);
}
