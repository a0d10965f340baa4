import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { unknownName } from "../../runtime/errors/index.ts";
import { packSdk } from "../../scripts/sdk/build.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { exitCode, usageError } from "../exit.ts";
import { print } from "../output.ts";

/** The folder of a new plugin is elsewhere than the clone, where `npx sluice` finds it. */
const self = quoted(fileURLToPath(new URL("../../bin/sluice.mjs", import.meta.url)));
const templates = fileURLToPath(new URL("../../templates/plugin/", import.meta.url));
const protos = fileURLToPath(new URL("../../proto/", import.meta.url));
const contract = ["sluice/connector/v1/connector.proto", "sluice/record/v1/record.proto"];

/** What the templates are called until they have a name. */
const placeholder = { name: "my-connector", title: "My connector" };

/** What there is to do in the new folder. */
interface Steps {
  readonly prepare: readonly string[];
  readonly certify: string;
  /** What a node starts, in the folder. */
  readonly program: string;
}

const steps: Readonly<Record<string, Steps>> = {
  ts: { prepare: ["npm install", "npm test"], certify: "-- node plugin.ts", program: "run" },
  python: {
    prepare: ["python3 -m venv venv && venv/bin/pip install -r requirements.txt", "venv/bin/python -m unittest"],
    certify: "-- venv/bin/python connector.py",
    program: "run",
  },
  go: { prepare: ["go test ./...", "go build -o plugin ."], certify: "./plugin", program: "plugin" },
};
const languages = Object.keys(steps);

export const newSyntax: Syntax = {
  usage: "sluice plugin new NAME --lang ts|python|go [--dir DIR]",
  summary: "Writes a working plugin with its tests.",
  options: {
    lang: { type: "string", value: "LANG", help: "ts, python or go." },
    dir: { type: "string", value: "DIR", help: "Folder to make (./NAME)." },
  },
  positionals: [1, 1],
};

export async function newPlugin(argv: readonly string[]): Promise<number> {
  const args = parseArguments(newSyntax, argv);
  if (args === null) return exitCode.done;
  const name = args.positionals[0]!;
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    throw usageError(`${JSON.stringify(name)} is no name of a connector type: a-z, then a-z, 0-9 and "-", at most 40`);
  }
  const lang = args.string("lang");
  if (lang === undefined) throw usageError(`--lang is missing: ${languages.join(", ")}`);
  if (!languages.includes(lang)) throw usageError(unknownName("language", lang, languages));
  const folder = path.resolve(args.string("dir") ?? name);
  if (existsSync(folder)) throw usageError(`${folder} is there already`);
  try {
    await writePlugin(folder, name, lang);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const { prepare, certify, program } = steps[lang]!;
  const all = [`cd ${quoted(folder)}`, ...prepare, `${self} plugin certify --config certify.yaml ${certify}`];
  print(`Wrote ${folder}. Next:\n\n${all.map((step) => `  ${step}`).join("\n")}\n`);
  print("To register it, put the folder on the node below SLUICE_PLUGIN_ROOTS (.sluice/plugins where unset). Then:\n");
  print(`  ${self} plugin add ${name} -- ${path.basename(folder)}/${program}`);
  return exitCode.done;
}

async function writePlugin(folder: string, name: string, lang: string): Promise<void> {
  mkdirSync(path.dirname(folder), { recursive: true });
  cpSync(path.join(templates, lang), folder, { recursive: true });
  const title = name[0]!.toUpperCase() + name.slice(1).replaceAll("-", " ");
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(folder, entry.name);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replaceAll(placeholder.name, name).replaceAll(placeholder.title, title));
  }
  if (lang === "ts") {
    const vendor = path.join(folder, "vendor");
    renameSync(await packSdk(vendor), path.join(vendor, "sluice-connector-sdk.tgz"));
    return;
  }
  for (const file of contract) cpSync(path.join(protos, file), path.join(folder, "proto", file));
}

/** As a shell takes it. */
function quoted(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
}
