import { createHmac, randomBytes } from "node:crypto";
import type { ReferenceScheme, ResolvedReference, ResolveReference } from "../../runtime/config/index.ts";
import type { Clock } from "../../runtime/ports/clock.ts";

export interface ReferenceWatchOptions {
  readonly resolve: ResolveReference;
  readonly clock: Clock;
  /** How often what is in use is looked up again. */
  readonly everyMs: number;
}

/** Notices that references of connectors that are open stand for something else by now: a password was rotated. */
export class ReferenceWatch {
  readonly #options: ReferenceWatchOptions;
  /** Values are compared by a hash that nobody else can make. */
  readonly #salt = randomBytes(32);
  readonly #open = new Set<{ readonly connector: string; readonly hashes: Map<string, string> }>();
  readonly #generations = new Map<string, number>();
  #lookedAt: number;
  #looking: Promise<void> | undefined;

  constructor(options: ReferenceWatchOptions) {
    this.#options = options;
    this.#lookedAt = options.clock.now();
  }

  /** What a connector was opened with; the function returned says that it is closed. */
  opened(connector: string, references: readonly ResolvedReference[]): () => void {
    if (references.length === 0) return () => {};
    const hashes = new Map(references.map((each) => [nameOf(each), this.#hash(each.value)]));
    const entry = { connector, hashes };
    this.#open.add(entry);
    return () => void this.#open.delete(entry);
  }

  /** Grows with each change that was noticed. */
  generation(connector: string): number {
    return this.#generations.get(connector) ?? 0;
  }

  /** Looks again where it is time to; what cannot be looked up at the moment has not changed. */
  look(): Promise<void> {
    const { clock, everyMs } = this.#options;
    if (this.#looking) return this.#looking;
    if (this.#open.size === 0 || clock.now() < this.#lookedAt + everyMs) return Promise.resolve();
    this.#lookedAt = clock.now();
    this.#looking = this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    const names = new Set([...this.#open].flatMap(({ hashes }) => [...hashes.keys()]));
    const now = new Map<string, string>();
    for (const name of names) {
      const at = name.indexOf(":");
      const value = await this.#options
        .resolve(name.slice(0, at) as ReferenceScheme, name.slice(at + 1))
        .catch(() => undefined);
      if (value !== undefined) now.set(name, this.#hash(value));
    }
    const changed = new Set<string>();
    for (const { connector, hashes } of this.#open) {
      for (const [name, hash] of hashes) {
        const found = now.get(name);
        if (found === undefined || found === hash) continue;
        hashes.set(name, found);
        changed.add(connector);
      }
    }
    for (const connector of changed) this.#generations.set(connector, this.generation(connector) + 1);
  }

  #hash(value: string): string {
    return createHmac("sha256", this.#salt).update(value).digest("base64");
  }
}

const nameOf = ({ scheme, argument }: ResolvedReference): string => `${scheme}:${argument}`;
