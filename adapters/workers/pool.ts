import { Worker } from "node:worker_threads";
import type { StepsResult, StepsTask, WorkerPool, WorkerSteps } from "../../runtime/ports/workers.ts";
import type { Answer, Request } from "./wire.ts";

export interface WorkerPoolOptions {
  /** Module that calls `serveSteps`. */
  readonly program: URL;
  /** Threads at most. */
  readonly threads: number;
  /** A thread ended by itself: out of memory, or it does not start. */
  readonly onDeath?: (error: Error) => void;
}

/** A thread that has one more waits for nothing between two. */
const tasksPerThread = 2;
/** Over this a thread ends, and the node goes on. */
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 64 };
const restartMs = 1000;

interface Job {
  readonly steps: number;
  readonly text: string;
  readonly task: StepsTask;
  readonly done: (result: StepsResult | undefined) => void;
}

/**
 * Threads that start when there is something for them and end with the last steps. What they have no room for goes back
 * to the main thread, a batch a turn of the event loop, so that it works beside them instead of waiting.
 */
export function createWorkerPool({ program, threads: size, onDeath }: WorkerPoolOptions): WorkerPool {
  const threads = new Set<Thread>();
  const queue: Job[] = [];
  let most = size;
  let opened = 0;
  const open = new Set<number>();
  let handingBack = false;
  let mayStartAt = 0;

  function pump(): void {
    while (queue.length > 0) {
      const thread = least(threads);
      if (thread !== undefined && (thread.load === 0 || (threads.size >= most && thread.load < tasksPerThread))) {
        thread.run(queue.shift() as Job);
      } else if (threads.size < most && performance.now() >= mayStartAt) start();
      else break;
    }
    if (queue.length === 0 || handingBack) return;
    handingBack = true;
    setImmediate(() => {
      handingBack = false;
      handBack(queue.splice(0, 1));
      pump();
    });
  }

  function start(): void {
    const died = (error: Error) => {
      mayStartAt = performance.now() + restartMs;
      onDeath?.(error);
    };
    try {
      const thread = new Thread(program, pump, (error) => {
        if (threads.delete(thread)) died(error);
      });
      threads.add(thread);
    } catch (error) {
      died(error as Error); // the system gives no thread
    }
  }

  /** Goes back to the main thread. */
  function handBack(jobs: readonly Job[]): void {
    for (const { done } of jobs) done(undefined);
  }

  async function end(): Promise<void> {
    const ending = [...threads];
    threads.clear();
    handBack(queue.splice(0));
    await Promise.all(ending.map((thread) => thread.end()));
  }

  return {
    open(text): WorkerSteps {
      const steps = ++opened;
      open.add(steps);
      return {
        run: (task) =>
          new Promise((done) => {
            queue.push({ steps, text, task, done });
            pump();
          }),
        close() {
          if (!open.delete(steps)) return;
          if (open.size === 0) void end();
          else {
            const jobs = queue.splice(0);
            queue.push(...jobs.filter((job) => job.steps !== steps));
            handBack(jobs.filter((job) => job.steps === steps));
            for (const thread of threads) thread.forget(steps);
          }
        },
      };
    },
    close() {
      most = 0;
      return end();
    },
  };
}

function least(threads: Iterable<Thread>): Thread | undefined {
  let least: Thread | undefined;
  for (const thread of threads) if (least === undefined || thread.load < least.load) least = thread;
  return least;
}

class Thread {
  readonly #worker: Worker;
  readonly #known = new Set<number>();
  readonly #jobs = new Map<number, Job>();
  #last = 0;

  constructor(program: URL, free: () => void, died: (error: Error) => void) {
    this.#worker = new Worker(program, { name: "steps", resourceLimits, env: {} });
    this.#worker.unref();
    this.#worker.on("message", ({ id, result }: Answer) => {
      const job = this.#jobs.get(id);
      this.#jobs.delete(id);
      if (this.#jobs.size === 0) this.#worker.unref();
      // First the thread goes on, then what it gave.
      free();
      job?.done(result);
    });
    this.#worker.on("error", died);
    this.#worker.on("exit", (code) => {
      died(new Error(`a worker thread ended with code ${code}`));
      for (const { done } of this.#jobs.values()) done(undefined);
      this.#jobs.clear();
      free();
    });
  }

  get load(): number {
    return this.#jobs.size;
  }

  run(job: Job): void {
    const { steps, text, task } = job;
    const id = ++this.#last;
    this.#jobs.set(id, job);
    this.#worker.ref();
    if (!this.#known.has(steps)) {
      this.#known.add(steps);
      this.#post({ type: "open", steps, text });
    }
    // What is handed over is gone here.
    const body = new Uint8Array(task.body);
    this.#post({ type: "run", id, steps, task: { ...task, body } }, [body.buffer]);
  }

  forget(steps: number): void {
    if (this.#known.delete(steps)) this.#post({ type: "close", steps });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, [...transfer]);
  }
}
