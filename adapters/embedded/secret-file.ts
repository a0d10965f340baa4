import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** A password that only this user can read, made at the first call. 256 bits in hexadecimal. */
export function readOrMakeSecret(path: string): string {
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readFileSync(path, "utf8").trim();
}
