// A built-in type under another name, as a plugin: plugin.ts file | blackhole.
import { blackhole } from "../../connectors/blackhole/index.ts";
import { file } from "../../connectors/file/index.ts";
import type { ConnectorType } from "../../connectors/sdk/index.ts";
import { servePlugin } from "../../connectors/sdk/serve/index.ts";

const type = process.argv[2] === "file" ? file : blackhole;
await servePlugin({ ...(type as ConnectorType), type: `plugged-${type.type}` });
