import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from "node:fs";

const ROTATE_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 8 * 1024;

/** A server's log, opened for one life of the server. */
export interface LogFile {
  readonly path: string;
  readonly fd: number;
  /** The last lines written since it was opened. */
  tail(lines: number): string;
  close(): void;
}

/** Opens a log for appending; a large one becomes `PATH.1` first, of which there is one. */
export function openLogFile(path: string): LogFile {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > ROTATE_BYTES) renameSync(path, `${path}.1`);
  const fd = openSync(path, "a+", 0o600);
  const start = fstatSync(fd).size;
  return {
    path,
    fd,
    tail(lines) {
      const end = fstatSync(fd).size;
      const from = Math.max(start, end - TAIL_BYTES);
      const bytes = Buffer.alloc(end - from);
      readSync(fd, bytes, 0, bytes.length, from);
      return bytes.toString().trimEnd().split("\n").slice(-lines).join("\n");
    },
    close: () => closeSync(fd),
  };
}
