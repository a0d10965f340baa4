import type { Logger } from "../runtime/ports/logger.ts";

export interface Watched {
  readonly id: string;
  readonly name: string;
  /** Null: no alert. */
  readonly alertDepth: number | null;
}

/** Says once when an integration has more unresolved dead letters than it should, and once when it no longer has. */
export class DepthAlert {
  readonly #logger: Logger;
  readonly #raised = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `depths`: of those that have any. */
  look(integrations: readonly Watched[], depths: ReadonlyMap<string, number>): void {
    const watched = integrations.filter(({ alertDepth }) => alertDepth !== null);
    // Those that are another node's now are told by that one.
    for (const id of this.#raised) if (!watched.some((one) => one.id === id)) this.#raised.delete(id);
    for (const { id, name, alertDepth } of watched) {
      const depth = depths.get(id) ?? 0;
      const above = depth > (alertDepth ?? Number.POSITIVE_INFINITY);
      if (above === this.#raised.has(id)) continue;
      const fields = { integration: name, depth, alert_depth: alertDepth };
      if (above) {
        this.#raised.add(id);
        this.#logger.warn(fields, "there are more dead letters than alert_depth");
      } else {
        this.#raised.delete(id);
        this.#logger.info(fields, "the dead letters are back within alert_depth");
      }
    }
  }
}
