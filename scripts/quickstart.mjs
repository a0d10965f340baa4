import { launch } from "./launch.mjs";

await launch("cli/main.ts", ["quickstart", ...process.argv.slice(2)]);
