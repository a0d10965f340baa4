import { messageOf } from "../../runtime/errors/index.ts";
import type { Sandbox, SandboxLimits, Script, ScriptCall, ScriptResult } from "../../runtime/ports/sandbox.ts";
import type { RequestHead } from "./frames.ts";
import { type SandboxProcess, startProcess } from "./process.ts";
import { callLine, requestHead, resultOf } from "./wire.ts";

export interface SandboxOptions {
  readonly limits?: Partial<SandboxLimits> | undefined;
  /** Batches that the process has in hand at once; others wait. Default 8. */
  readonly maxInFlight?: number | undefined;
}

/** A part of a batch, as it is sent. */
interface Request {
  readonly head: RequestHead;
  readonly lines: readonly string[];
  readonly resolve: (results: readonly ScriptResult[]) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** A part of a batch is about as large in characters, at least one call. */
const maxRequest = 4 * 2 ** 20;

/** Makes a sandbox; its process starts with the first script. */
export function createSandbox(options: SandboxOptions = {}): Sandbox & { readonly pid: number | undefined } {
  return new IsolateSandbox(options);
}

class IsolateSandbox implements Sandbox {
  readonly #limits: SandboxLimits;
  readonly #maxInFlight: number;
  readonly #waiting: Request[] = [];
  /** Were in hand when the process died. One of them may be why, so each has the next process to itself. */
  readonly #suspects: Request[] = [];
  readonly #inFlight = new Map<number, Request>();
  #process: SandboxProcess | undefined;
  #ready = false;
  #alone = false;
  #closed = false;
  #lastId = 0;

  constructor({ limits, maxInFlight }: SandboxOptions) {
    this.#limits = { timeMs: limits?.timeMs ?? 1_000, memoryBytes: limits?.memoryBytes ?? 64 * 2 ** 20 };
    this.#maxInFlight = maxInFlight ?? 8;
  }

  /** The process's id at the moment. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async run(
    scope: string,
    script: Script,
    calls: readonly ScriptCall[],
    signal: AbortSignal,
  ): Promise<readonly ScriptResult[]> {
    const parts: Promise<readonly ScriptResult[]>[] = [];
    const head = requestHead(scope, script, calls.length);
    let lines: string[] = [];
    let size = 0;
    for (const call of calls) {
      const line = callLine(head, call);
      if (lines.length > 0 && size + line.length > maxRequest) {
        parts.push(this.#request({ ...head, count: lines.length }, lines, signal));
        lines = [];
        size = 0;
      }
      lines.push(line);
      size += line.length;
    }
    if (lines.length > 0) parts.push(this.#request({ ...head, count: lines.length }, lines, signal));
    const results = await Promise.all(parts);
    return results.length === 1 ? (results[0] as readonly ScriptResult[]) : results.flat();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const error = new Error("the script sandbox is closed");
    for (const request of this.#takeAll()) request.reject(error);
    const process = this.#process;
    process?.hold(true);
    process?.kill();
    await process?.ended;
  }

  #request(head: RequestHead, lines: readonly string[], signal: AbortSignal): Promise<readonly ScriptResult[]> {
    if (this.#closed) return Promise.reject(new Error("the script sandbox is closed"));
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<readonly ScriptResult[]>();
    const request: Request = { head, lines, resolve, reject, signal };
    const abort = () => {
      reject(signal.reason);
      this.#drop(request);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.push(request);
    this.#pump();
    return promise.finally(() => signal.removeEventListener("abort", abort));
  }

  #pump(): void {
    const idle = this.#waiting.length === 0 && this.#suspects.length === 0;
    this.#process?.hold(!idle || this.#inFlight.size > 0);
    if (this.#closed || idle) return;
    if (this.#process === undefined) this.#start();
    if (!this.#ready || this.#alone) return;
    if (this.#suspects.length > 0) {
      if (this.#inFlight.size > 0) return;
      this.#alone = true;
      this.#send(this.#suspects.shift() as Request);
      return;
    }
    while (this.#waiting.length > 0 && this.#inFlight.size < this.#maxInFlight) {
      this.#send(this.#waiting.shift() as Request);
    }
  }

  #send(request: Request): void {
    const id = (this.#lastId = (this.#lastId % 0xffff_ffff) + 1);
    this.#inFlight.set(id, request);
    this.#process?.send(id, `${JSON.stringify(request.head)}\n${request.lines.join("\n")}`);
  }

  #answer(id: number, text: string): void {
    const request = this.#inFlight.get(id);
    if (request === undefined) return; // aborted meanwhile
    this.#inFlight.delete(id);
    this.#alone = false;
    const lines = text.split("\n");
    const results: ScriptResult[] = new Array(request.lines.length);
    for (let i = 0; i < results.length; i++) results[i] = resultOf(lines[i] as string);
    request.resolve(results);
    this.#pump();
  }

  /** Of an aborted request. */
  #drop(request: Request): void {
    for (const queue of [this.#waiting, this.#suspects]) {
      const at = queue.indexOf(request);
      if (at >= 0) queue.splice(at, 1);
    }
    for (const [id, one] of this.#inFlight) {
      if (one !== request) continue;
      this.#inFlight.delete(id);
      this.#alone = false;
      this.#process?.send(0, String(id));
    }
    this.#pump();
  }

  #start(): void {
    let process: SandboxProcess;
    try {
      process = startProcess(this.#limits, (id, text) => this.#answer(id, text));
    } catch (error) {
      // isolated-vm is not installed.
      const failure = new Error(`the script sandbox does not start: ${messageOf(error)}`, { cause: error });
      for (const request of this.#takeAll()) request.reject(failure);
      return;
    }
    this.#process = process;
    process.ready.then(
      () => {
        this.#ready = true;
        this.#pump();
      },
      (error: unknown) => {
        for (const request of this.#takeAll()) request.reject(error);
      },
    );
    void process.ended.then(() => this.#ended());
  }

  /** The process is gone, and with it what it had in hand. */
  #ended(): void {
    const lost = [...this.#inFlight.values()];
    const alone = this.#alone;
    this.#inFlight.clear();
    this.#process = undefined;
    this.#ready = false;
    this.#alone = false;
    if (alone) {
      for (const request of lost) this.#suspects.unshift(...this.#narrow(request));
    } else {
      this.#suspects.push(...lost);
    }
    this.#pump();
  }

  /** Of a request that ends the process by itself: its halves, or nothing more when it was one call. */
  #narrow(request: Request): Request[] {
    const { head, lines, resolve } = request;
    if (lines.length === 1) {
      const message = "the script ended its sandbox: it used too much memory, or did not stop in time";
      resolve([{ ok: false, code: "TIMEOUT", message }]);
      return [];
    }
    const middle = lines.length >> 1;
    const halves: (readonly ScriptResult[] | undefined)[] = [undefined, undefined];
    return [lines.slice(0, middle), lines.slice(middle)].map((part, index) => ({
      ...request,
      head: { ...head, count: part.length },
      lines: part,
      resolve: (results) => {
        halves[index] = results;
        const [first, second] = halves;
        if (first !== undefined && second !== undefined) resolve([...first, ...second]);
      },
    }));
  }

  #takeAll(): Request[] {
    const all = [...this.#inFlight.values(), ...this.#suspects.splice(0), ...this.#waiting.splice(0)];
    this.#inFlight.clear();
    this.#alone = false;
    return all;
  }
}
