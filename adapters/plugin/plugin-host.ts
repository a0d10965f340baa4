import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { joinSecrets, pluginSchema, Redactor } from "../../runtime/config/index.ts";
import type { RegisteredType, Sealer } from "../../runtime/ports/connectors.ts";
import type {
  PluginRow,
  PluginState,
  PluginStore,
  Plugins,
  TriedPlugin,
  TypeDescription,
} from "../../runtime/ports/plugins.ts";
import { ConflictError } from "../../runtime/ports/store.ts";
import { PluginError } from "./failure.ts";
import { Plugin } from "./plugin.ts";
import { allowedProgram } from "./plugin-roots.ts";
import type { PluginLease } from "./plugin-source.ts";
import { noEngine, type PluginSettings, pluginTarget, takesBuiltIn, tryPlugin } from "./plugin-target.ts";
import { type PluginClient, pluginType } from "./plugin-type.ts";

export interface PluginHostOptions extends Omit<PluginSettings, "redactor"> {
  readonly store: { readonly plugins: PluginStore };
  readonly sealer: Sealer;
  /** Learns the plugins' own secrets, and clears what they say of those and of their connectors'. */
  readonly redactor?: Redactor;
  /** Tells the other nodes that the store has changed. */
  readonly publish: () => void;
}

/** A message between nodes may be lost: the store is looked at this often all the same. */
const lookMs = 5_000;
/** What is open on a plugin that was replaced or removed may go on with it for so long. */
const graceMs = 10 * 60 * 1000;

/** Runs on this node what plugins the store has. */
export class PluginHost implements Plugins {
  readonly #options: PluginHostOptions;
  readonly #redactor: Redactor;
  readonly #settings: PluginSettings;
  readonly #hosted = new Map<string, HostedPlugin>();
  readonly #retiring = new Set<Plugin>();
  #look: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PluginHostOptions) {
    this.#options = options;
    this.#redactor = options.redactor ?? new Redactor();
    this.#settings = { ...options, redactor: this.#redactor };
  }

  /** Resolves once the plugins are known, whether or not they start. */
  async start(): Promise<void> {
    await this.sync();
    this.#look = setInterval(() => void this.sync().catch(() => {}), lookMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#look);
    await this.#last.catch(() => {});
    const all = [...this.#retiring, ...[...this.#hosted.values()].flatMap(({ plugin }) => plugin ?? [])];
    await Promise.all(all.map((plugin) => plugin.stop()));
  }

  types(): readonly RegisteredType[] {
    return [...this.#hosted.values()].flatMap(({ type }) => type ?? []);
  }

  state(name: string): PluginState {
    return this.#hosted.get(name)?.state ?? { status: "starting", reason: null };
  }

  async allow({ command }: JsonObject): Promise<void> {
    if (command !== undefined) await allowedProgram((command as string[])[0] as string, this.#options.roots);
  }

  try(name: string, spec: JsonObject): Promise<TriedPlugin> {
    return tryPlugin(name, spec, this.#settings);
  }

  async changed(): Promise<void> {
    await this.sync();
    this.#options.publish();
  }

  /** Takes up what the store has. One at a time. */
  sync(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#sync());
    return this.#last;
  }

  async #sync(): Promise<void> {
    if (this.#stopped) return;
    const rows = await this.#options.store.plugins.all();
    const names = new Set(rows.map(({ name }) => name));
    for (const [name, { plugin }] of this.#hosted) {
      if (names.has(name)) continue;
      this.#hosted.delete(name);
      this.#retire(plugin);
      this.#options.logger.info({ plugin: name }, "plugin removed");
    }
    for (const row of rows) {
      const there = this.#hosted.get(row.name);
      const hosted = there ?? new HostedPlugin(row);
      if (there === undefined) this.#hosted.set(row.name, hosted);
      if (row.serves !== null) hosted.describe(row.serves);
      if (there !== undefined && there.row.id === row.id && there.row.version === row.version) continue;
      this.#retire(hosted.plugin);
      hosted.become(row, runnable(row) ? this.#keep(row, hosted) : undefined);
    }
  }

  #keep(row: PluginRow, hosted: HostedPlugin): Plugin {
    const { logger, sealer } = this.#options;
    const target = async () => {
      const secrets = row.sealed === null ? {} : await sealer.unseal(row.id, row.sealed);
      return await pluginTarget(joinSecrets(pluginSchema, row.spec, secrets), this.#settings);
    };
    return Plugin.keep({
      name: row.name,
      plugin: target,
      logger,
      redact: this.#redactor.redact,
      accept: (description) => this.#accept(row, hosted, description),
    });
  }

  /** It may say that it is another version: behind an address, or in the program's file, something new was put. */
  async #accept(row: PluginRow, hosted: HostedPlugin, says: TypeDescription): Promise<string | undefined> {
    const { store, builtIn, logger, publish } = this.#options;
    const known = hosted.type;
    if (builtIn.includes(says.type)) return takesBuiltIn(says);
    if (known !== undefined && known.type !== says.type) return `is another one now: ${says.type} ${says.version}`;
    if (isDeepStrictEqual(hosted.serves, says)) return undefined;
    try {
      // Of one that was changed meanwhile it is of no interest.
      if (!(await store.plugins.describe(row.id, row.version, says))) return undefined;
    } catch (error) {
      if (error instanceof ConflictError) return `serves ${says.type} ${says.version}: ${error.message}`;
      throw error;
    }
    if (hosted.row.version !== row.version) return undefined;
    hosted.describe(says);
    logger.info({ plugin: row.name, type: says.type, version: says.version }, "plugin says what it serves");
    publish();
    return undefined;
  }

  #retire(plugin: Plugin | undefined): void {
    if (plugin === undefined) return;
    this.#retiring.add(plugin);
    void plugin.retire(graceMs).finally(() => this.#retiring.delete(plugin));
  }
}

/** A plugin by its name, whichever program stands behind it: what was opened before an upgrade goes on after it. */
class HostedPlugin implements PluginClient {
  readonly name: string;
  row: PluginRow;
  plugin: Plugin | undefined;
  serves: TypeDescription | undefined;
  type: RegisteredType | undefined;

  constructor(row: PluginRow) {
    this.name = row.name;
    this.row = row;
  }

  get state(): PluginState {
    return this.plugin?.state ?? { status: "unavailable", reason: noEngine(this.row.spec) };
  }

  become(row: PluginRow, plugin: Plugin | undefined): void {
    if (row.id !== this.row.id) this.serves = this.type = undefined;
    this.row = row;
    this.plugin = plugin;
    if (row.serves !== null) this.describe(row.serves);
  }

  describe(serves: TypeDescription): void {
    if (isDeepStrictEqual(this.serves, serves)) return;
    this.serves = serves;
    this.type = { ...pluginType(serves, this), plugin: this.name };
  }

  async lease(signal: AbortSignal): Promise<PluginLease> {
    if (this.plugin !== undefined) return await this.plugin.lease(signal);
    const message = `plugin ${this.name} ${this.state.reason}`;
    throw new PluginError("UNAVAILABLE", message, { fault: "destination", notReady: true });
  }
}

const runnable = ({ spec }: PluginRow): boolean => spec.command !== undefined || spec.address !== undefined;
