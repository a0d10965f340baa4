import { createRequire } from "node:module";
import type ivm from "isolated-vm";
import { harness } from "./harness.ts";

const { ExternalCopy, Isolate } = createRequire(import.meta.url)("isolated-vm") as typeof ivm;

const maxScripts = 64;
/** In characters: of one result, and of the results that are given at once. */
const maxResult = 16 * 2 ** 20;
const maxAnswer = 8 * 2 ** 20;

export interface Entry {
  /** An expression that gives the function to call. */
  readonly text: string;
  readonly kind: string;
  readonly sent: number;
  /** A JSON array a line. */
  readonly lines: string;
  readonly count: number;
  readonly timeMs: number;
}

/** How an entry ended. `done` calls have their results in `answer`, a line each. */
export type Exit =
  | { readonly state: "finished"; readonly done: number; readonly answer: string }
  /** Its time ran out in the call after these, which had run for `ranMs`. */
  | { readonly state: "timed out"; readonly done: number; readonly answer: string; readonly ranMs: number }
  /** It used too much memory in the call after these, and took their results along. */
  | { readonly state: "out of memory"; readonly done: number }
  | { readonly state: "does not compile"; readonly message: string };

/** One isolate with the harness in it: the world of one scope. */
export class World {
  readonly #isolate: ivm.Isolate;
  readonly #context: ivm.Context;
  readonly #run: ivm.Reference;
  readonly #take: ivm.Reference;
  readonly #progress: Float64Array;
  readonly #scripts = new Map<string, ivm.Reference>();
  /** Nothing ran in it yet. */
  fresh = true;

  constructor(memoryBytes: number) {
    this.#isolate = new Isolate({ memoryLimit: Math.max(8, Math.ceil(memoryBytes / 2 ** 20)) });
    this.#context = this.#isolate.createContextSync();
    const shared = new SharedArrayBuffer(16);
    this.#progress = new Float64Array(shared);
    const made = this.#context.evalClosureSync(
      `"use strict"; return (${harness})(new Float64Array($0), $1, $2)`,
      [new ExternalCopy(shared).copyInto(), maxResult, maxAnswer],
      { result: { reference: true } },
    ) as ivm.Reference;
    this.#run = made.getSync("run", { reference: true });
    this.#take = made.getSync("take", { reference: true });
  }

  get lost(): boolean {
    return this.#isolate.isDisposed;
  }

  /** Ends what runs in it. */
  dispose(): void {
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
  }

  async run({ text, kind, sent, lines, count, timeMs }: Entry): Promise<Exit> {
    this.fresh = false;
    this.#progress[0] = 0;
    let script: ivm.Reference;
    try {
      script = this.#scripts.get(text) ?? (await this.#compile(text));
    } catch (error) {
      if (this.lost) return { state: "out of memory", done: 0 };
      return { state: "does not compile", message: (error as Error).message };
    }
    try {
      const answer = await this.#run.apply(undefined, [script.derefInto(), kind, sent, lines, count], {
        timeout: timeMs,
      });
      return { state: "finished", done: this.#done, answer: answer as string };
    } catch {
      const done = this.#done;
      const ranMs = Date.now() - (this.#progress[1] as number);
      try {
        return {
          state: "timed out",
          done,
          ranMs,
          answer: (await this.#take.apply(undefined, [], { timeout: timeMs })) as string,
        };
      } catch {
        return { state: "out of memory", done };
      }
    }
  }

  get #done(): number {
    return this.#progress[0] as number;
  }

  async #compile(text: string): Promise<ivm.Reference> {
    const script = await this.#isolate.compileScript(text, { filename: "script" });
    const made = (await script.run(this.#context, { reference: true })) as ivm.Reference;
    script.release();
    for (const [oldest, reference] of this.#scripts) {
      if (this.#scripts.size < maxScripts) break;
      this.#scripts.delete(oldest);
      reference.release();
    }
    this.#scripts.set(text, made);
    return made;
  }
}
