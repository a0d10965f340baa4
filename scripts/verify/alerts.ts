import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, root, run } from "./command.ts";

/** Prometheus takes the configuration and the alerts, and each alert fires when its tests say so, and only then. */
export async function checkAlerts(): Promise<Outcome> {
  const folder = join(root, "deploy/prometheus");
  // It leaves its data where it runs.
  const elsewhere = mkdtempSync(join(tmpdir(), "sluice-alerts-"));
  try {
    for (const command of [
      ["check", "config", "--syntax-only", join(folder, "prometheus.yml")],
      ["check", "rules", join(folder, "alerts.yml")],
      ["test", "rules", join(folder, "alerts-tests.yml")],
    ]) {
      const outcome = await run("promtool", command, elsewhere);
      if (outcome.code !== 0) return outcome;
    }
    return { code: 0, output: "" };
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}
