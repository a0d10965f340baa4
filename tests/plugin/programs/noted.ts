// A plugin that counts slowly, notes what becomes of its connectors, and says their secrets on stderr.
import { appendFileSync } from "node:fs";
import { servePlugin } from "../../../connectors/sdk/serve/index.ts";
import { noted } from "../noted-type.ts";

const [version = "1.0.0"] = process.argv.slice(2);
const notes = process.env.SLUICE_PLUGIN_NOTES;
await servePlugin(noted(version, (line) => notes && appendFileSync(notes, `${line}\n`)) as never);
