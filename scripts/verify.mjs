import { launch } from "./launch.mjs";

await launch("scripts/verify/main.ts", process.argv.slice(2));
