// `npm run chaos -- --minutes 10`: the fault suite, round after round (tests/chaos/suite). `npm run chaos -- --kills`:
// the tests of kills, twenty of each in runs of a million records; what is set in the environment stays, and names of
// tests may be given (`npm run chaos -- --kills -t replaced`).
import { launch } from "./launch.mjs";

const [first, ...others] = process.argv.slice(2);
if (first === "--kills") {
  process.env.CHAOS_RECORDS ??= "1000000";
  process.env.CHAOS_KILLS ??= "20";
  await launch("node_modules/vitest/vitest.mjs", ["run", "--project=integration", "tests/chaos/kill-", ...others]);
} else await launch("tests/chaos/suite/main.ts", process.argv.slice(2));
