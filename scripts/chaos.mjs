// Kills the node, nats-server and Postgres twenty times each in runs of a million records: `npm run chaos`. What is not
// set in the environment is set here; names of tests may be given (`npm run chaos -- -t replaced`).
import { launch } from "./launch.mjs";

process.env.CHAOS_RECORDS ??= "1000000";
process.env.CHAOS_KILLS ??= "20";
await launch("node_modules/vitest/vitest.mjs", [
  "run",
  "--project=integration",
  "tests/chaos/kill-",
  ...process.argv.slice(2),
]);
