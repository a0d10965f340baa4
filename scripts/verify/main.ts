// Every check and every test, the same that CI runs. The last line is "N passed, N failed, N skipped".
import { exitWithParent } from "../../adapters/embedded/parent.ts";
import { findJaeger } from "../../tests/support/jaeger.ts";
import { findVault } from "../../tests/support/vault.ts";
import { useOwnTempFolder } from "../../tests/temp-folder.ts";
import { checkAlerts } from "./alerts.ts";
import { type Outcome, run, runTool } from "./command.ts";
import { refusedLicenses } from "./licenses.ts";
import { checkMigrations } from "./migrations.ts";
import { checkProtocols } from "./protocols.ts";
import { ensureRequirements } from "./requirements.ts";
import { runStages, type Stage } from "./stages.ts";
import { runTests } from "./vitest.ts";

const FOLDERS = "runtime actors adapters connectors gateway console/src cli bench tests scripts".split(" ");

const stages: readonly Stage[] = [
  // First, since it takes minutes where it is not in the cache: the others go on beside it.
  check("Vault and Jaeger for the tests (go build)", () =>
    // One after another: each takes all cores.
    findVault()
      .then(() => findJaeger())
      .then(
        () => ({ code: 0, output: "" }),
        (error: Error) => ({ code: 1, output: error.message }),
      ),
  ),
  check("format and lint (biome)", () => runTool("@biomejs/biome/bin/biome", "check")),
  check("types (tsc)", () => runTool("@typescript/native/bin/tsc", "-p", ".")),
  check("console: types (tsc)", () => runTool("@typescript/native/bin/tsc", "-p", "console")),
  check("console: build, and its size at first load (vite)", () => run(process.execPath, ["scripts/console.mjs"])),
  check("boundaries (dependency-cruiser)", () =>
    runTool("dependency-cruiser/bin/dependency-cruise.mjs", "--config", ".dependency-cruiser.cjs", ...FOLDERS),
  ),
  check("dead code (knip)", () => runTool("knip/bin/knip.js")),
  check("licences", async () => {
    const refused = refusedLicenses();
    return { code: refused.length, output: refused.join("\n") };
  }),
  check("migrations are current (drizzle-kit)", checkMigrations),
  check("protocols (buf)", checkProtocols),
  check("alerts (promtool)", checkAlerts),
  { name: "unit tests", run: () => runTests("unit") },
  { name: "integration tests", run: () => runTests("integration") },
];

/** A check counts as one test. */
function check(name: string, run: () => Promise<Outcome>): Stage {
  return {
    name,
    async run() {
      const { code, output } = await run();
      return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, output };
    },
  };
}

exitWithParent();
useOwnTempFolder();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const print = (text: string): boolean => process.stdout.write(text);
try {
  await ensureRequirements();
  const { passed, failed, skipped } = await runStages(stages, print);
  print(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
