import type { OutRecord, WriteBatch, WriteResult } from "../../connectors/sdk/index.ts";
import { PluginError } from "./failure.ts";

/** A stuck write holds up one that wants to be alone, and the other way round, for no longer. */
const patienceMs = 5_000;
/** A record that was alone in the plugin at so many deaths is what it died of. */
const deathsMax = 2;

/** Writes through one plugin, of all its destinations: when it dies, any of them may be why. */
export class PluginWrites {
  #underWay = 0;
  #alone: Alone | undefined;
  #wanted = 0;
  #changed = Promise.withResolvers<void>();

  /** Nothing to wait for while no write wants to be alone. */
  async begin(): Promise<() => void> {
    if (this.#wanted > 0) await this.#until(() => this.#wanted === 0);
    if (this.#alone) this.#alone.undisturbed = false;
    this.#underWay++;
    return () => {
      this.#underWay--;
      this.#change();
    };
  }

  async beginAlone(): Promise<Alone & { end(): void }> {
    this.#wanted++;
    await this.#until(() => this.#alone === undefined && this.#underWay === 0);
    const alone: Alone = { undisturbed: this.#alone === undefined && this.#underWay === 0 };
    if (this.#alone) this.#alone.undisturbed = false;
    else this.#alone = alone;
    return Object.assign(alone, {
      end: () => {
        if (this.#alone === alone) this.#alone = undefined;
        this.#wanted--;
        this.#change();
      },
    });
  }

  async #until(holds: () => boolean): Promise<void> {
    const late = Promise.withResolvers<void>();
    let waits = true;
    const timer = setTimeout(() => {
      waits = false;
      late.resolve();
    }, patienceMs);
    while (waits && !holds()) await Promise.race([this.#changed.promise, late.promise]);
    clearTimeout(timer);
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

interface Alone {
  /** No other write was under way through the plugin since it began. */
  undisturbed: boolean;
}

const writesOf = new WeakMap<object, PluginWrites>();

/** What is known of a record that was in a write when the plugin died. */
interface Suspect {
  deaths: number;
  /** How many writes of its destination had been confirmed when it became one. */
  readonly confirmed: number;
}

/**
 * Writes of one destination through a plugin. What was in one when the plugin died goes alone, of all that is written
 * through the plugin; a record that it dies of again and again, while others are taken, is given up (invariant 6).
 */
export class PoisonWatch {
  readonly #plugin: string;
  readonly #writes: PluginWrites;
  readonly #suspects = new Map<string, Suspect>();
  #confirmed = 0;

  constructor(plugin: object, name: string) {
    this.#plugin = name;
    this.#writes = writesOf.get(plugin) ?? new PluginWrites();
    writesOf.set(plugin, this.#writes);
  }

  /** `hasDied` tells of what has failed whether the plugin was gone with it. */
  async write(
    { records }: Pick<WriteBatch, "records">,
    write: () => Promise<WriteResult>,
    hasDied: () => boolean,
  ): Promise<WriteResult> {
    const isSuspect = this.#suspects.size > 0 && records.some(({ id }) => this.#suspects.has(id));
    if (!isSuspect) {
      const end = await this.#writes.begin();
      return write()
        .then((result) => this.#took(records, result))
        .catch((error: unknown) => {
          if (hasDied()) for (const { id } of records) this.#suspects.set(id, this.#fresh);
          if (records.length === 1 || !(error instanceof PluginError) || !error.died) throw error;
          // Halved at once: nobody's attempt, and nothing that the destination's circuit should weigh.
          throw new PluginError(error.code, error.message, { fault: "record" });
        })
        .finally(end);
    }
    if (records.length > 1) {
      throw new PluginError("INTERNAL_ERROR", `plugin ${this.#plugin} died in a write of some of these`, {
        fault: "record",
      });
    }
    const [{ id }] = records as readonly [OutRecord];
    const alone = await this.#writes.beginAlone();
    try {
      return this.#took(records, await write());
    } catch (error) {
      const suspect = this.#suspects.get(id) ?? this.#fresh;
      this.#suspects.set(id, suspect);
      if (!hasDied() || !alone.undisturbed || ++suspect.deaths < deathsMax) throw error;
      // One that dies of whatever it is given: no record is to blame.
      if (this.#confirmed === suspect.confirmed) throw error;
      this.#suspects.delete(id);
      const message = `plugin ${this.#plugin} died each time that this record was written`;
      throw new PluginError("INTERNAL_ERROR", message, { fault: "record" });
    } finally {
      alone.end();
    }
  }

  get #fresh(): Suspect {
    return { deaths: 0, confirmed: this.#confirmed };
  }

  #took(records: WriteBatch["records"], result: WriteResult): WriteResult {
    this.#confirmed++;
    if (this.#suspects.size > 0) for (const { id } of records) this.#suspects.delete(id);
    return result;
  }
}
