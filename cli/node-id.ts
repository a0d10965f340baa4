import { randomUUIDv7 } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** The id of the node of this data folder: the same after a restart, which then owns at once what it owned before. */
export async function nodeId(dataDir: string): Promise<string> {
  const file = path.join(dataDir, "node-id");
  try {
    return (await readFile(file, "utf8")).trim();
  } catch {
    const id = randomUUIDv7();
    await writeFile(file, `${id}\n`);
    return id;
  }
}
