import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Api } from "../support/api.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";

/** Stands in every record; may be in a destination and in the store, and nowhere else. */
export const payload = "PAYLOAD-4f1d";
/** A password that nothing but the connector may see. */
export const secret = "SECRET-93b2";

export const good = 600;
export const bad = 30;
const filtered = 70;

const preload = new URL("programs/loaded-modules.mjs", import.meta.url).href;

export interface Observed {
  readonly node: TestNode;
  /** Every line of the node's log. */
  readonly log: () => string;
  readonly entries: () => Entry[];
  /** OpenTelemetry's modules that the node had loaded when it ended. */
  readonly loadedModules: () => string[];
}

export type Entry = Readonly<Record<string, unknown>> & { readonly msg: string };

/**
 * A node with an integration `shop` that has all of it: a source of `good` records that arrive, `bad` ones that do not and
 * some that are filtered, and two destinations, of which one refuses a few. `wrong` is one whose password is.
 */
export async function observedNode(
  env: NodeJS.ProcessEnv = {},
  atEnd?: (end: () => unknown) => void,
): Promise<Observed> {
  const folder = tempDir(atEnd);
  const modules = join(folder, "modules.json");
  const node = await TestNode.start({
    folder,
    ...(atEnd && { atEnd }),
    env: { ...env, NODE_OPTIONS: `--import ${preload}`, LOADED_MODULES_FILE: modules, SLUICE_SECRET_WRONG: secret },
  });
  const lines = [
    ...Array.from({ length: good }, (_, i) => ({ n: i, kind: "good", text: payload })),
    ...Array.from({ length: bad }, () => ({ n: `no number: ${payload}`, kind: "bad" })),
    ...Array.from({ length: filtered }, () => ({ n: 0, kind: "other", text: payload })),
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  writeFileSync(join(node.files, "in.ndjson"), `${text}\n{"broken": "${payload}\n`);
  await applyShop(node.api, node.files, new URL(node.databaseUrl()).port);
  const file = join(node.dataDir, "sluice.log");
  const log = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const entries = () =>
    log()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Entry);
  return { node, log, entries, loadedModules: () => JSON.parse(readFileSync(modules, "utf8")) };
}

async function applyShop(api: Api, files: string, port: string): Promise<void> {
  await api.connector("files", "file", { path: files });
  await api.connector("nowhere", "blackhole", { fail: { ratio: 0.05, code: "VALIDATION_ERROR" } });
  await api.connector("locked", "postgres", {
    host: "127.0.0.1",
    port: Number(port),
    database: "sluice",
    user: "sluice",
    password: `\${env:SLUICE_SECRET_WRONG}`,
  });
}

export const shop = {
  name: "shop",
  source: { connector: "files", stream: "in.ndjson" },
  destinations: [
    { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" },
    { id: "hole", connector: "nowhere", stream: "any" },
  ],
  mapping_spec: [
    { source: "$.n", destination: "n", cast: "integer" },
    { source: "$.text", destination: "text" },
  ],
  pipeline_spec: {
    steps: [
      { id: "wanted", type: "filter", where: "$.kind != 'other'" },
      { id: "map", type: "map" },
    ],
  },
};

export const wrong = {
  name: "wrong",
  source: { connector: "locked", stream: "any" },
  destination: { connector: "nowhere", stream: "any" },
};

/** Samples of a metric in Prometheus' text format. */
export function samples(text: string, metric: string): { labels: Record<string, string>; value: number }[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name !== metric) return [];
    const pairs = Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, key, text]) => [key as string, text as string]);
    return [{ labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}
