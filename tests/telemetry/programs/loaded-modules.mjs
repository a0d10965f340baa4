// Preloaded into a node: writes the names of the modules of the OpenTelemetry SDK that it loaded, when it ends.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const { cache } = createRequire(import.meta.url);
process.on("exit", () => {
  // Not in the node's own children.
  if (process.argv[2] !== "up") return;
  const loaded = Object.keys(cache).filter((name) => name.includes("@opentelemetry/sdk"));
  writeFileSync(process.env.LOADED_MODULES_FILE, JSON.stringify(loaded));
});
