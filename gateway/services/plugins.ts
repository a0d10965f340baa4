import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  checkConnector,
  checkPlugin,
  findType,
  joinSecrets,
  pluginSchema,
  redacted,
  splitSecrets,
} from "../../runtime/config/index.ts";
import { type FieldError, SluiceError } from "../../runtime/errors/index.ts";
import type { RegisteredType, Sealer } from "../../runtime/ports/connectors.ts";
import type { PluginRow, PluginStore, TriedPlugin } from "../../runtime/ports/plugins.ts";
import type { Page } from "../../runtime/ports/store.ts";
import { isObject } from "../../runtime/record/index.ts";
import { allConnectors, type IfMatch, matched, newId, refuse, type ServiceContext, usersOf } from "./context.ts";
import { failureOf } from "./probe.ts";
import { ofPlugin, wrapByNewest } from "./sealed-rows.ts";

export interface PluginOptions {
  /** Take it also where it cannot be started or reached now: it is tried again and again. */
  readonly skipChecks: boolean;
}

export interface PluginChangeOptions extends PluginOptions {
  /** Also where connectors are left without their type. */
  readonly force: boolean;
  readonly ifMatch: IfMatch;
}

/** A plugin as configured, found valid, secrets and all. */
export interface PluginInput {
  readonly name: string;
  readonly spec: JsonObject;
}

export function pluginService(context: ServiceContext) {
  const { store, plugins, validator, sealer, runner } = context;

  async function one(name: string): Promise<PluginRow> {
    const row = name.includes("\0") ? null : await store.plugins.byName(name);
    if (row === null) throw new SluiceError("NOT_FOUND", `there is no plugin ${name}`);
    return row;
  }

  /** Once the store has them. */
  async function taken(connectors: readonly string[]): Promise<void> {
    await plugins.changed();
    runner.changed(await usersOf(connectors, store));
  }

  async function users(name: string): Promise<string[]> {
    const uses = ({ type }: { type: string }) => context.registry.type(type)?.plugin === name;
    return (await allConnectors(store)).filter(uses).map((row) => row.name);
  }

  return {
    get: one,
    state: (row: PluginRow) => plugins.state(row.name),

    list: (options: Parameters<PluginStore["list"]>[0]): Promise<Page<PluginRow>> => store.plugins.list(options),

    async create(body: Json, options: PluginOptions): Promise<PluginRow> {
      refuse(checkPlugin(body, { validator }));
      const input = inputOf(body as JsonObject);
      refuse(strayRedactions(input));
      const tried = await tryOne(input, options, context);
      await tried?.close();
      const row = await store.plugins.create({ name: input.name, ...(await stored(newId(), input, tried, sealer)) });
      await wrapByNewest(ofPlugin(store, row), { store, sealer });
      await taken([]);
      return row;
    },

    /** `***` in the place of a secret keeps the one that is stored. */
    async replace(name: string, body: Json, options: PluginChangeOptions): Promise<PluginRow> {
      const row = matched(await one(name), options.ifMatch);
      const whole = isObject(body) ? await keepSecrets(row, { name, ...body }, sealer) : body;
      refuse(checkPlugin(whole, { validator }));
      const input = inputOf(whole as JsonObject);
      if (input.name !== name) refuse([{ path: "name", message: `cannot be changed from ${name}` }]);
      refuse(strayRedactions(input));
      const tried = await tryOne(input, options, context);
      await tried?.close();
      const types = replaceTypes(plugins.types(), new Map([[name, tried?.type]]));
      if (!options.force) refuseBreaks(await findBreaks(types, context));
      const before = await users(name);
      const { spec, sealed, serves } = await stored(row.id, input, tried, sealer);
      const changed = await store.plugins.update(row.id, { spec, sealed, serves }, row.version);
      if (changed === null) throw new SluiceError("NOT_FOUND", `there is no plugin ${name}`);
      await wrapByNewest(ofPlugin(store, changed), { store, sealer });
      await taken(before);
      return changed;
    },

    async remove(name: string, { force, ifMatch }: Omit<PluginChangeOptions, "skipChecks">): Promise<void> {
      const row = matched(await one(name), ifMatch);
      const connectors = await users(name);
      if (connectors.length > 0 && !force) {
        throw new SluiceError(
          "CONFLICT",
          `plugin ${name} cannot be removed while it is used by ${namesOf(connectors)}`,
        );
      }
      await store.plugins.remove(row.id);
      await taken(connectors);
    },
  };
}

export const inputOf = ({ name, ...spec }: JsonObject): PluginInput => ({ name: name as string, spec });

/** Splits what may be seen from what is sealed with the plugin's id. */
export async function stored(id: string, { spec }: PluginInput, tried: TriedPlugin | undefined, sealer: Sealer) {
  const { open, secrets } = splitSecrets(pluginSchema, spec);
  const sealed = Object.keys(secrets).length === 0 ? null : await sealer.seal(id, secrets);
  if (tried === undefined) return { id, spec: open, sealed, serves: null };
  const { type, version, title, description, config, capabilities } = tried.type;
  return { id, spec: open, sealed, serves: { type, version, title, description, config, capabilities } };
}

/** The body with `***` replaced by the secrets that stand in those places. */
export async function keepSecrets(row: PluginRow, body: JsonObject, sealer: Sealer): Promise<JsonObject> {
  if (row.sealed === null) return body;
  return joinSecrets(pluginSchema, body, await sealer.unseal(row.id, row.sealed));
}

/** `***` where no secret is stored that it could stand for. */
export function strayRedactions({ spec }: PluginInput): FieldError[] {
  const { secrets } = splitSecrets(pluginSchema, spec);
  return Object.entries(secrets).flatMap(([path, secret]) =>
    secret === redacted ? [{ path, message: `${redacted} keeps a stored secret, and there is none here` }] : [],
  );
}

/**
 * Starts or reaches it, where there is something to start or reach. Throws VALIDATION_ERROR for what this node may not
 * run, CONFLICT where another has its name and version, else BUSINESS_RULE with the reason; the last is undefined with
 * `skipChecks`.
 */
export async function tryOne(
  { name, spec }: PluginInput,
  { skipChecks }: PluginOptions,
  { plugins }: Pick<ServiceContext, "plugins">,
): Promise<TriedPlugin | undefined> {
  await plugins.allow(spec);
  if (spec.command === undefined && spec.address === undefined) return undefined;
  try {
    const tried = await plugins.try(name, spec);
    const { type, version } = tried.type;
    const other = plugins.types().find((each) => each.type === type && each.version === version);
    if (other === undefined || other.plugin === name) return tried;
    await tried.close();
    throw new SluiceError("CONFLICT", `plugin ${other.plugin} serves ${type} ${version} already`);
  } catch (error) {
    const { code, message, path } = failureOf(error);
    if (code === "CONFLICT" || (code === "VALIDATION_ERROR" && error instanceof SluiceError)) throw error;
    if (skipChecks) return undefined;
    const said = message.startsWith("plugin ") ? message : `plugin ${name} ${message}`;
    throw new SluiceError("BUSINESS_RULE", said, path === undefined ? [] : [{ path, message }], error);
  }
}

/** What plugins serve once some of them were changed: undefined where it is not known. */
export function replaceTypes(
  types: readonly RegisteredType[],
  changed: ReadonlyMap<string, RegisteredType | undefined>,
): RegisteredType[] {
  const kept = types.filter(({ plugin }) => !changed.has(plugin as string));
  return [...kept, ...[...changed.values()].flatMap((type) => type ?? [])];
}

/** Connectors that would be left without their type, or with a config that its new version refuses. */
export async function findBreaks(
  pluginTypes: readonly RegisteredType[],
  { store, registry, validator }: ServiceContext,
  except: ReadonlySet<string> = new Set(),
): Promise<FieldError[]> {
  const types = registry.with(pluginTypes).types();
  return (await allConnectors(store)).flatMap(({ name, type, config }) => {
    const [before, after] = [registry.type(type), findType(types, type)];
    if (
      except.has(name) ||
      before === undefined ||
      (before.version === after?.version && after.plugin === before.plugin)
    )
      return [];
    const errors = checkConnector({ name, type, config }, { validator, types });
    return errors.map(({ path, message }) => ({ path: "", message: `connector ${name}: ${path}: ${message}` }));
  });
}

export function refuseBreaks(breaks: readonly FieldError[]): void {
  const [first, ...more] = breaks;
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  throw new SluiceError("CONFLICT", `nothing was changed: ${first.message}${others}`, breaks);
}

function namesOf(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${names.length === 1 ? "connector" : "connectors"} ${names.slice(0, 3).join(", ")}${more}`;
}
