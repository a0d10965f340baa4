import { homedir } from "node:os";
import { join } from "node:path";

/** Where this user's programs keep what can be made again. */
export function cacheDir(platform: NodeJS.Platform = process.platform, env: NodeJS.ProcessEnv = process.env): string {
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "sluice");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "sluice");
}
