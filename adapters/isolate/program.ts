import fs from "node:fs";
import { evaluateBatch } from "./batch.ts";
import { FrameReader, frame, type RequestHead } from "./frames.ts";
import { sends } from "./harness.ts";
import { type Exit, World } from "./isolates.ts";
import { seal } from "./seal.ts";

// The sandbox's process. It holds isolates and nothing else; requests come on its standard input, answers go to its
// standard output, and when the input ends, so does it, whatever its isolates do.

const { timeMs, memoryBytes } = JSON.parse(process.argv[2] ?? "{}") as { timeMs: number; memoryBytes: number };
const maxWorlds = 32;
/** Resident: from here on idle isolates go; and where no isolate can be held to account any more, the process. */
const highBytes = 512 * 2 ** 20;
const tooHighBytes = Math.max(1024 * 2 ** 20, 512 * 2 ** 20 + 4 * memoryBytes);
/** An entry that is not back by then has found a way around its time limit. */
const overdueMs = 1_000;

interface Scope {
  world: World | undefined;
  /** Its batches, one after the other. */
  last: Promise<void>;
  waiting: number;
}

const scopes = new Map<string, Scope>();
const cancelled = new Set<number>();
let running = 0;

function die(): never {
  process.kill(process.pid, "SIGKILL"); // process.exit would wait for the isolates' threads
  throw new Error("killed");
}

function scopeOf(name: string): Scope {
  const scope = scopes.get(name) ?? { world: undefined, last: Promise.resolve(), waiting: 0 };
  // The last one used is the last one in the map.
  scopes.delete(name);
  scopes.set(name, scope);
  return scope;
}

/** Removes idle scopes, the longest unused first, while there are more than `keep`. */
function evict(keep: number): void {
  for (const [name, scope] of scopes) {
    if (scopes.size <= keep) return;
    if (scope.waiting > 0) continue;
    scope.world?.dispose();
    scopes.delete(name);
  }
}

async function watch(world: World, entry: Promise<Exit>): Promise<Exit> {
  const timer = setTimeout(() => {
    world.dispose();
    timer2 = setTimeout(die, overdueMs);
  }, timeMs + overdueMs);
  let timer2: NodeJS.Timeout | undefined;
  try {
    return await entry;
  } finally {
    clearTimeout(timer);
    clearTimeout(timer2);
  }
}

async function answer(id: number, scope: Scope, head: RequestHead, lines: string[]): Promise<void> {
  const sent = (head.record ? sends.record : 0) | (head.meta ? sends.meta : 0) | (head.value ? sends.value : 0);
  const batch = { text: head.text, kind: head.kind, sent, lines };
  running++;
  const result = await evaluateBatch(
    batch,
    { timeMs, memoryBytes },
    {
      timeMs,
      world: () => {
        if (scope.world === undefined || scope.world.lost) scope.world = new World(memoryBytes);
        return scope.world;
      },
      renew: () => {
        scope.world?.dispose();
        scope.world = undefined;
      },
      watch,
      cancelled: () => cancelled.has(id),
    },
  );
  running--;
  if (!cancelled.delete(id)) send(id, result);
}

function receive(id: number, text: string): void {
  if (id === 0) {
    const request = Number(text);
    if (pending.has(request)) cancelled.add(request);
    return;
  }
  const at = text.indexOf("\n");
  const head = JSON.parse(text.slice(0, at)) as RequestHead;
  const lines = text.slice(at + 1).split("\n");
  const scope = scopeOf(head.scope);
  scope.waiting++;
  pending.add(id);
  scope.last = scope.last.then(async () => {
    await answer(id, scope, head, lines);
    pending.delete(id);
    scope.waiting--;
    evict(maxWorlds);
  });
  scope.last.catch(die);
}

const pending = new Set<number>();
// By file descriptor: the process has no socket, not even for its own input and output.
const outgoing: Buffer[] = [];
let writing = false;

function send(id: number, text: string): void {
  outgoing.push(frame(id, text));
  if (!writing) writeNext();
}

function writeNext(): void {
  const next = outgoing[0];
  writing = next !== undefined;
  if (next === undefined) return;
  fs.write(1, next, (error, written) => {
    if (error !== null) die();
    if (written === next.length) outgoing.shift();
    else outgoing[0] = next.subarray(written);
    writeNext();
  });
}

const reader = new FrameReader(receive);

function readNext(): void {
  const piece = Buffer.allocUnsafe(256 * 1024);
  fs.read(0, piece, 0, piece.length, null, (error, read) => {
    if (error !== null || read === 0) die();
    reader.push(read < 64 * 1024 ? Buffer.from(piece.subarray(0, read)) : piece.subarray(0, read));
    readNext();
  });
}

let noticedAt = 0;
setInterval(() => {
  if (running === 0 && scopes.size === 0) return;
  const resident = process.memoryUsage.rss();
  if (resident > tooHighBytes) die();
  if (resident < highBytes || performance.now() - noticedAt < 300) return; // memory needs a moment to go
  noticedAt = performance.now();
  evict(0);
  // isolated-vm lets an isolate have a gigabyte more before it acts.
  const busy = [...scopes.values()].filter((scope) => scope.waiting > 0);
  if (busy.length === 1) busy[0]?.world?.dispose();
}, 20).unref();

new World(memoryBytes).dispose(); // whatever is loaded late is loaded now
seal();
send(0, "ready");
readNext();
