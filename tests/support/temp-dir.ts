import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A new folder, removed when the test is over. Its name has a space, since users' folders do. */
export function tempDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice test "));
  // For root, whose Postgres runs as another user.
  chmodSync(folder, 0o711);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
