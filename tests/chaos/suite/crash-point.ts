import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { RunLedger } from "../../../actors/ledger.ts";
import { JetStreamLog } from "../../../adapters/jetstream/log.ts";
import { AppendDestination } from "../../../connectors/file/append-destination.ts";
import { ReplaceDestination } from "../../../connectors/file/replace-destination.ts";
import { PostgresDestination } from "../../../connectors/postgres/destination.ts";
import type { CrashPoint } from "./crash-points.ts";

/**
 * Loaded before the node's program (`node --import`), this ends a process with SIGKILL at the n-th passage of a point on
 * the way of a record, as the file named by CRASH_POINT says (`after-write 7 4711`, in which 4711 is the process); the
 * product knows nothing of it. The file may come, and change, while the node is up.
 */
const file = process.env.CRASH_POINT;
if (isMainThread && file !== undefined) watch(struckAt(file));

function struckAt(file: string): (passed: CrashPoint) => void {
  let asked = "";
  let left = 0;
  return (passed) => {
    const now = existsSync(file) ? readFileSync(file, "utf8") : "";
    const [point, passages, pid] = now.split(" ");
    if (now !== asked) [asked, left] = [now, Number(passages)];
    if (passed !== point || left === 0 || --left > 0) return;
    appendFileSync(`${file}.reached`, `${point}\n`);
    process.kill(Number(pid), "SIGKILL");
  };
}

function watch(pass: (point: CrashPoint) => void): void {
  // A subject of its own: the others are destinations, on the deliver log.
  const isIngest = (subject: unknown) => subject === "r.0";
  around(JetStreamLog.prototype, "append", {
    before: (subject) => pass(isIngest(subject) ? "before-append" : "before-deliver-append"),
    after: (subject) => pass(isIngest(subject) ? "after-append" : "after-deliver-append"),
  });
  for (const prototype of [PostgresDestination.prototype, AppendDestination.prototype, ReplaceDestination.prototype]) {
    around(prototype, "write", { before: () => pass("before-write"), after: () => pass("after-write") });
    around(prototype, "complete", { before: () => pass("before-complete"), after: () => pass("after-complete") });
  }
  const { settle, snapshot, committed } = RunLedger.prototype;
  RunLedger.prototype.snapshot = function () {
    pass("before-commit");
    return snapshot.call(this);
  };
  // Between the commit and the acknowledgements that follow from it.
  RunLedger.prototype.committed = function (...given) {
    if (given[0].messages.length > 0) pass("after-commit");
    committed.apply(this, given);
  };
  RunLedger.prototype.settle = function (name, message, outcome) {
    const { ack } = message;
    const watched = async () => {
      await ack();
      pass("after-ack");
    };
    settle.call(this, name, Object.assign(message, { ack: watched }), outcome);
  };
}

type Method = (this: unknown, ...given: unknown[]) => Promise<unknown>;

/** Calls `before` and, once what a method promises has come, `after`, both with its first argument. */
function around(
  prototype: object,
  method: "append" | "write" | "complete",
  { before, after }: { readonly before: (first: unknown) => void; readonly after: (first: unknown) => void },
): void {
  const inner = Reflect.get(prototype, method) as Method;
  const watched: Method = async function (...given) {
    before(given[0]);
    const result = await inner.apply(this, given);
    after(given[0]);
    return result;
  };
  Reflect.set(prototype, method, watched);
}
