import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import {
  joinSecrets,
  pluginSchema,
  Redactor,
  type ResolveReference,
  resolveReferences,
  splitSecrets,
} from "../../runtime/config/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { RegisteredType, Sealer } from "../../runtime/ports/connectors.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
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
import type { PluginTarget } from "./life.ts";
import { Plugin } from "./plugin.ts";
import { allowedProgram } from "./plugin-roots.ts";
import type { PluginLease } from "./plugin-source.ts";
import { type PluginClient, pluginType } from "./plugin-type.ts";

export interface PluginHostOptions {
  readonly store: { readonly plugins: PluginStore };
  readonly sealer: Sealer;
  readonly resolveReference: ResolveReference;
  /** Folders whose programs may be run (`SLUICE_PLUGIN_ROOTS`). */
  readonly roots: readonly string[];
  /** Names of the types that sluice comes with. */
  readonly builtIn: readonly string[];
  readonly logger: Logger;
  /** Learns the plugins' own secrets, and clears what they say of those and of their connectors'. */
  readonly redactor?: Redactor;
  /** Tells the other nodes that the store has changed. */
  readonly publish: () => void;
}

/** A message between nodes may be lost: the store is looked at this often all the same. */
const lookMs = 5_000;
/** What is open on a plugin that was replaced or removed may go on with it for so long. */
const graceMs = 10 * 60 * 1000;
const mebibyte = 1024 * 1024;

/** Runs on this node what plugins the store has. */
export class PluginHost implements Plugins {
  readonly #options: PluginHostOptions;
  readonly #redactor: Redactor;
  readonly #hosted = new Map<string, HostedPlugin>();
  readonly #retiring = new Set<Plugin>();
  #look: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PluginHostOptions) {
    this.#options = options;
    this.#redactor = options.redactor ?? new Redactor();
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

  async try(name: string, spec: JsonObject): Promise<TriedPlugin> {
    const { logger, builtIn } = this.#options;
    const { redact, redactError } = this.#redactor;
    const plugin = await Plugin.start({ name, plugin: () => this.#target(spec), logger, redact }).catch((error) => {
      throw redactError(error);
    });
    const { type } = plugin;
    if (builtIn.includes(type.type)) {
      await plugin.stop();
      throw new SluiceError("CONFLICT", `plugin ${name} ${takesBuiltIn(type)}`);
    }
    return { type: { ...type, plugin: name }, close: () => plugin.stop() };
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
      return await this.#target(joinSecrets(pluginSchema, row.spec, secrets));
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

  /** What its configuration means, with references resolved. */
  async #target(given: JsonObject): Promise<PluginTarget> {
    const { resolveReference, roots } = this.#options;
    if (given.command === undefined && given.address === undefined)
      throw new PluginError("UNAVAILABLE", noEngine(given));
    const secrets = { tls: given.tls ?? {}, env: given.env ?? {} };
    const resolved = (await resolveReferences(secrets, resolveReference)) as typeof secrets;
    // Invariant 7: whole from here on, in the program's environment or the connection, and nowhere else.
    this.#redactor.addAll(splitSecrets(pluginSchema, resolved).secrets);
    const { command, address, memory, env, tls } = { ...given, ...resolved } as unknown as PluginSpec;
    if (command !== undefined) {
      const program = await allowedProgram(command[0] as string, roots);
      return {
        command: [program, ...command.slice(1)],
        cwd: path.dirname(program),
        env,
        ...(memory !== undefined && { memoryBytes: memory * mebibyte }),
      };
    }
    const { server_name: serverName, ...pem } = tls;
    if (given.tls === undefined) return { address: address as string };
    return { address: address as string, tls: { ...pem, ...(serverName !== undefined && { serverName }) } };
  }

  #retire(plugin: Plugin | undefined): void {
    if (plugin === undefined) return;
    this.#retiring.add(plugin);
    void plugin.retire(graceMs).finally(() => this.#retiring.delete(plugin));
  }
}

interface PluginTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly server_name?: string;
}

/** As `pluginSchema` has it, references resolved. */
interface PluginSpec {
  readonly command?: readonly string[];
  readonly address?: string;
  readonly memory?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly tls: PluginTls;
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

const noEngine = ({ image }: JsonObject): string =>
  `has no container engine on this node to run ${image}: give the address at which it serves`;

const takesBuiltIn = ({ type }: TypeDescription): string => `has the type ${type}, which sluice comes with`;
