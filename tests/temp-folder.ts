import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive } from "../adapters/embedded/processes.ts";

/** Of a process. Short: names of sockets below it may have 104 characters on macOS. */
const ofProcess = /^sluice-(\d+)-\w{6}$/;

/**
 * Has what this process and its children put into the system's folder for temporary files in a folder of their own there,
 * which is removed when this process ends. What one that was killed has left, the next one removes.
 */
export function useOwnTempFolder(): void {
  if (process.env.SLUICE_TEST_TMP !== undefined) return;
  const shared = tmpdir();
  for (const name of readdirSync(shared)) {
    const pid = ofProcess.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) remove(join(shared, name));
  }
  const own = mkdtempSync(join(shared, `sluice-${process.pid}-`));
  // For root, whose Postgres runs as another user.
  chmodSync(own, 0o711);
  process.env.TMPDIR = process.env.SLUICE_TEST_TMP = own;
  process.once("exit", () => remove(own));
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Another user's, or still in use: another time.
  }
}
