import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../runtime/errors/index.ts";
import { LockedError, type PidLock, takePidLock } from "./pid-lock.ts";

/** A node that was just killed takes a moment to be gone. */
const PREDECESSOR_MS = 2_000;

/**
 * Makes the data folder and takes it for this process: the embedded servers and the key file in it have one owner.
 * Released by `release()` and at the end of the process; what a kill -9 leaves behind does not count.
 */
export async function lockDataDir(dataDir: string): Promise<PidLock> {
  // Root's Postgres runs as another user, who has to get to its own folder in there, and sees nothing else.
  try {
    mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    return await takePidLock(join(dataDir, "sluice.lock"), PREDECESSOR_MS);
  } catch (error) {
    if (!(error instanceof LockedError)) {
      throw new Error(
        `the data folder ${dataDir} cannot be used: ${messageOf(error)}. Set SLUICE_DATA_DIR to a folder that you may write to.`,
        { cause: error },
      );
    }
    throw new Error(
      `the data folder ${dataDir} is in use by another node (process ${error.pid}). ` +
        "Stop that one, or set SLUICE_DATA_DIR to another folder.",
    );
  }
}
