import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isAlive, startedAt } from "./processes.ts";

export interface PidLock {
  release(): void;
}

interface Owner {
  readonly pid: number;
  /** Milliseconds since the epoch, when the lock was taken. */
  readonly since: number;
}

export class LockedError extends Error {
  override readonly name = "LockedError";
  readonly pid: number;

  constructor(file: string, pid: number) {
    super(`${file} is held by process ${pid}`);
    this.pid = pid;
  }
}

/**
 * Takes a lock that is a file with its owner's process id. A lock whose owner is gone, also after a kill -9, a reboot
 * or with its id given to another process since, is taken over.
 * @throws LockedError when it is still held after `waitMs`.
 */
export async function takePidLock(file: string, waitMs: number): Promise<PidLock> {
  mkdirSync(dirname(file), { recursive: true });
  const deadline = Date.now() + waitMs;
  for (;;) {
    if (create(file)) return heldLock(file);
    const owner = readOwner(file);
    if (owner === null) continue; // released in between
    if (!holds(owner)) rmSync(file, { force: true });
    else if (Date.now() >= deadline) throw new LockedError(file, owner.pid);
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function heldLock(file: string): PidLock {
  const release = (): void => {
    process.off("exit", release);
    if (readOwner(file)?.pid === process.pid) rmSync(file, { force: true });
  };
  process.once("exit", release);
  return { release };
}

/** Written aside and linked, so that nobody reads a lock without its owner. */
function create(file: string): boolean {
  const mine = `${file}.${process.pid}`;
  const owner: Owner = { pid: process.pid, since: Date.now() };
  writeFileSync(mine, JSON.stringify(owner));
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readOwner(file: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as Owner;
    return { pid: Number(owner.pid), since: Number(owner.since) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    return { pid: 0, since: 0 }; // not written by us: nobody holds it
  }
}

/** A process that started after the lock was taken only has the owner's id. Start times are whole seconds. */
function holds(owner: Owner): boolean {
  if (!isAlive(owner.pid)) return false;
  const started = startedAt(owner.pid);
  return started === null || started < owner.since + 2000;
}
