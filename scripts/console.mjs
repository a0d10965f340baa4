// Builds the console (console/) into console/dist, from where the gateway serves it: `node scripts/console.mjs`.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { bootstrapOrExit, root, stage, withLock } from "./bootstrap.mjs";

const folder = path.join(root, "console");
const dist = path.join(folder, "dist");
const STAMP = ".stamp";
/** What is made in console/ and is no part of it. */
const MADE = /^(dist|screenshots)/;

/** Of what a browser loads before the overview shows, gzipped. */
const LIMIT_KB = 300;
const FIRST = ["index.html", "src/pages/overview/overview.tsx"];

/**
 * Builds the console where what is built is not of these sources. `node`: the Node to build with.
 * @param {string} node
 */
export async function buildConsole(node) {
  if (isCurrent()) return;
  await withLock(async () => {
    if (!isCurrent()) await stage("building the console", () => build(node));
  }, "console");
}

/** Kilobytes, gzipped, that a browser loads before the overview shows. */
export function firstLoadKb() {
  const manifest = JSON.parse(fs.readFileSync(path.join(dist, "manifest.json"), "utf8"));
  const files = new Set(["index.html"]);
  const seen = new Set();
  const visit = (key) => {
    if (seen.has(key)) return;
    seen.add(key);
    const { file, css = [], imports = [] } = manifest[key];
    for (const each of [file, ...css]) files.add(each);
    imports.forEach(visit);
  };
  FIRST.forEach(visit);
  const bytes = [...files].map((file) => gzipSync(fs.readFileSync(path.join(dist, file))).length);
  return bytes.reduce((sum, each) => sum + each, 0) / 1000;
}

function isCurrent() {
  try {
    return fs.readFileSync(path.join(dist, STAMP), "utf8") === sourcesHash();
  } catch {
    return false;
  }
}

function sourcesHash() {
  const hash = createHash("sha256").update(fs.readFileSync(path.join(root, "package-lock.json")));
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !MADE.test(file))
    .sort();
  for (const file of files) hash.update(`\0${file}\0`).update(fs.readFileSync(path.join(folder, file)));
  return hash.digest("hex");
}

/** Built aside, so that a node that serves the console always has a whole one. */
async function build(node) {
  const hash = sourcesHash();
  const [made, former] = [`${dist}.${process.pid}`, `${dist}.${process.pid}.former`];
  try {
    await vite(node, ["build", "--outDir", made, "--emptyOutDir", "--logLevel", "warn"]);
    const assets = path.join(made, "assets");
    for (const name of fs.readdirSync(assets)) compress(path.join(assets, name));
    fs.writeFileSync(path.join(made, STAMP), hash);
    if (fs.existsSync(dist)) fs.renameSync(dist, former);
    fs.renameSync(made, dist);
  } finally {
    fs.rmSync(made, { recursive: true, force: true });
    fs.rmSync(former, { recursive: true, force: true });
  }
}

/** Once for all who load it. */
function compress(file) {
  const bytes = fs.readFileSync(file);
  fs.writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  fs.writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
}

function vite(node, args) {
  const program = path.join(root, "node_modules", "vite", "bin", "vite.js");
  const env = { ...process.env, NODE_ENV: "production" };
  const child = spawn(node, [program, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${output.trim()} (vite build)`))));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await buildConsole(await bootstrapOrExit());
  const kb = firstLoadKb();
  process.stdout.write(`console/dist: ${kb.toFixed(1)} kB gzipped at first load, of ${LIMIT_KB} kB at most\n`);
  if (kb > LIMIT_KB) process.exitCode = 1;
}
