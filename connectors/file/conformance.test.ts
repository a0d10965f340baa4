import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import { describeConnector } from "../conformance/index.ts";
import type { Json, JsonObject } from "../sdk/index.ts";
import { file } from "./index.ts";

const text = (index: number) => "x".repeat((index * 37) % 300);
const records: JsonObject[] = Array.from({ length: 25 }, (_, id) => ({
  id: String(id),
  name: `Zoë "${id}", the\r\n${id}th`,
  notes: text(id),
}));

/** How a test, without the product's code, writes and reads each format. */
const formats = {
  ndjson: {
    write: (rows: readonly Json[]) => `\ufeff${rows.map((row) => `${JSON.stringify(row)}\r\n\n`).join("")}`,
    read: (content: string) => content.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Json])),
  },
  json: {
    write: (rows: readonly Json[]) => JSON.stringify(rows, null, 2),
    read: (content: string) => (content === "" ? [] : (JSON.parse(content) as Json[])),
  },
  csv: {
    write: (rows: readonly JsonObject[]) =>
      [
        "id,name,notes",
        ...rows.map((row) => Object.values(row).map((cell) => `"${String(cell).replaceAll('"', '""')}"`)),
      ]
        .map((row) => `${String(row)}\r\n`)
        .join(""),
    read: (content: string) => parse(content, { columns: true }) as Json[],
  },
};

for (const [format, { write, read }] of Object.entries(formats)) {
  for (const ending of ["", ".gz"]) {
    const name = `out.${format}${ending}`;
    // A gzipped JSON array cannot be appended to.
    const isReplaceOnly = name === "out.json.gz";
    const type = isReplaceOnly
      ? { ...file, capabilities: { ...file.capabilities, destination: { modes: ["replace"] as const } } }
      : file;
    describeConnector({ ...type, title: `${type.title} (${format}${ending})` }, async () => {
      const folder = await realpath(await mkdtemp(join(tmpdir(), "sluice file ")));
      const stream = `in.${format}${ending}`;
      const content = write(records);
      await writeFile(join(folder, stream), ending === "" ? content : gzipSync(content));
      return {
        context: { dataDir: folder, fileRoots: [folder] },
        config: { path: folder },
        badConfigs: [
          { config: { path: join(folder, "missing") }, path: "config.path" },
          { config: { path: join(folder, stream) }, path: "config.path" },
          { config: { path: tmpdir() }, path: "config.path" },
        ],
        source: {
          stream,
          mode: "full",
          records,
          missing: { stream: `inn.${format}`, path: "source.stream" },
        },
        destination: {
          stream: name,
          modes: ["append", "replace"],
          exactlyOnce: ["append", "replace"],
          records: records.slice(0, 9),
          stored: async () => {
            const bytes = await readFile(join(folder, name));
            return read((ending === "" ? bytes : gunzipSync(bytes)).toString().trimStart());
          },
          clear: async () => {
            for (const entry of await readdir(folder)) if (entry !== stream) await rm(join(folder, entry));
          },
          ...(format === "csv" ? { refused: { id: "1", unknown: "field" } } : {}),
        },
        close: () => rm(folder, { recursive: true }),
      };
    });
  }
}
