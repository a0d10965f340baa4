import type { Instance } from "../../../proto/gen/sluice/connector/v1/connector.ts";
import type { Connector, ConnectorContext, ConnectorType } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { Json } from "../json.ts";

interface Made {
  readonly version: bigint;
  readonly connector: Connector;
  users: number;
  usedAt: number;
}

/** A connector that nobody has used for so long is closed. */
const idleMs = 60_000;

/** The connectors that calls have configured: one for each, while it is used and a while longer. */
export class Instances {
  readonly #type: ConnectorType;
  readonly #context: ConnectorContext;
  readonly #made = new Map<string, Made>();

  constructor(type: ConnectorType, context: ConnectorContext) {
    this.#type = type;
    this.#context = context;
  }

  /** Calls `use` with the connector; while it is under way, that one is not closed. */
  async use<T>(instance: Instance | undefined, use: (connector: Connector) => Promise<T>): Promise<T> {
    const made = this.#open(instance);
    made.users++;
    try {
      return await use(made.connector);
    } finally {
      made.users--;
      made.usedAt = Date.now();
      this.#sweep();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#made.values()];
    this.#made.clear();
    await Promise.allSettled(all.map(({ connector }) => connector.close()));
  }

  #open(instance: Instance | undefined): Made {
    if (instance === undefined) {
      throw new ConnectorError("VALIDATION_ERROR", "the call carries no connector", { fault: "destination" });
    }
    const { id, version, config } = instance;
    const key = `${id} ${version}`;
    let made = this.#made.get(key);
    if (made === undefined) {
      const connector = this.#type.create(JSON.parse(config) as Json, this.#context);
      made = { version, connector, users: 0, usedAt: Date.now() };
      this.#made.set(key, made);
    }
    return made;
  }

  #sweep(): void {
    for (const [key, { connector, users, usedAt }] of this.#made) {
      if (users > 0 || Date.now() - usedAt < idleMs) continue;
      this.#made.delete(key);
      connector.close().catch(() => {});
    }
  }
}
