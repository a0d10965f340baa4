import type { Connector, Json, JsonObject } from "../../connectors/sdk/index.ts";
import { checkIntegration, resolveIntegration } from "../../runtime/config/index.ts";
import { type FieldError, SluiceError } from "../../runtime/errors/index.ts";
import type {
  IntegrationRow,
  IntegrationStore,
  IntegrationVersionRow,
  Page,
  RunRow,
  Store,
} from "../../runtime/ports/store.ts";
import { isObject } from "../../runtime/record/index.ts";
import {
  allConnectors,
  found,
  type IfMatch,
  listOrNamed,
  matched,
  newId,
  refuse,
  type ServiceContext,
  sentenceOf,
  typesOf,
} from "./context.ts";
import { type FoundFit, findFit, keepFirstSchema } from "./fit.ts";
import { sealHookSecrets } from "./hook-secrets.ts";
import { ofIntegration, wrapByNewest } from "./sealed-rows.ts";

type ListOptions = Parameters<Store["integrations"]["list"]>[0] & { readonly name: string | null };

export function integrationService({ store, registry, runner, validator, sealer, checkCron }: ServiceContext) {
  const one = async (id: string): Promise<IntegrationRow> => found(await store.integrations.get(id), "integration", id);

  async function check(spec: Json): Promise<FieldError[]> {
    const connectors = typesOf(await allConnectors(store), registry);
    return [...checkIntegration(spec, { validator, connectors, allConnectorsKnown: true, checkCron }).errors];
  }

  /** The body as the store keeps it, or VALIDATION_ERROR with all that is wrong with it. */
  async function accept(id: string, body: Json, before?: IntegrationRow) {
    const { spec, errors } = await namedConnectors(body, store);
    refuse([...errors, ...(await check(spec))]);
    const sealed = await sealHookSecrets(id, spec as JsonObject, before?.spec, sealer);
    refuse(sealed.errors);
    return storedIntegration(sealed.spec);
  }

  async function setEnabled(id: string, enabled: boolean, ifMatch: IfMatch): Promise<IntegrationRow> {
    const row = matched(await one(id), ifMatch);
    if (row.enabled === enabled) return row;
    const errors = enabled ? await check({ name: row.name, ...row.spec }) : [];
    if (errors.length > 0) {
      throw new SluiceError("CONFLICT", `${row.name} cannot be enabled: ${sentenceOf(errors)}`, errors);
    }
    const fit = enabled ? await fitting(row.spec, `${row.name} cannot be enabled`) : null;
    const changed = await store.integrations.update(id, { name: row.name, spec: row.spec, enabled }, row.version);
    if (changed !== null) await wrapByNewest(ofIntegration(store, changed), { store, sealer });
    if (fit !== null) await keepFirstSchema(store.schemas, id, row.spec, fit.schema);
    runner.changed([id]);
    return found(changed, "integration", id);
  }

  /** Throws CONFLICT with what breaks. */
  async function fitting(spec: JsonObject, refusal: string): Promise<FoundFit> {
    const fit = await fitOf(spec);
    if (fit.breaks.length === 0) return fit;
    throw new SluiceError("CONFLICT", `${refusal}: ${sentenceOf(fit.breaks)}`, fit.breaks);
  }

  /** With those of its connectors that can be opened. */
  async function fitOf(spec: JsonObject): Promise<FoundFit> {
    const { sources, destinations } = resolveIntegration(spec);
    const names = new Set([...sources, ...destinations].map(({ connector }) => connector));
    const opened = new Map<string, Connector>();
    try {
      for (const name of names) {
        const row = await store.connectors.byName(name);
        const connector = row && (await registry.open(row).catch(() => null));
        if (connector) opened.set(name, connector);
      }
      return await findFit(spec, opened);
    } finally {
      await Promise.all([...opened.values()].map((connector) => connector.close()));
    }
  }

  return {
    get: one,
    list: (options: ListOptions): Promise<Page<IntegrationRow>> => listOrNamed(store.integrations, options),

    async versions(
      id: string,
      options: Parameters<IntegrationStore["versions"]>[1],
    ): Promise<Page<IntegrationVersionRow>> {
      await one(id);
      return store.integrations.versions(id, options);
    },

    /** A version as it was. */
    async version(id: string, version: string): Promise<IntegrationVersionRow & Pick<IntegrationRow, "spec">> {
      await one(id);
      const only = /^[1-9]\d{0,8}$/.test(version) ? Number(version) : 0;
      const [row, { items }] = await Promise.all([
        store.integrations.version(id, only),
        store.integrations.versions(id, { limit: 1, cursor: null, only }),
      ]);
      const [listed] = items;
      if (row === null || listed === undefined) {
        throw new SluiceError("NOT_FOUND", `the integration ${id} has no version ${version}`);
      }
      return { ...listed, spec: row.spec };
    },

    async create(body: Json): Promise<IntegrationRow> {
      const id = newId();
      const row = await store.integrations.create({ id, ...(await accept(id, body)), owner: null });
      await wrapByNewest(ofIntegration(store, row), { store, sealer });
      runner.changed([row.id]);
      return row;
    },

    /** `check`: refused with CONFLICT where it breaks, as `enable` refuses it. */
    async replace(
      id: string,
      body: Json,
      ifMatch: IfMatch,
      { check: isChecked = false } = {},
    ): Promise<IntegrationRow> {
      const row = matched(await one(id), ifMatch);
      const change = await accept(id, body, row);
      if (isChecked) await fitting(change.spec, "it is not saved");
      const changed = await store.transaction((tx) => updateIntegration(tx, row, change, row.version));
      await wrapByNewest(ofIntegration(store, changed), { store, sealer });
      runner.changed([id]);
      return changed;
    },

    async remove(id: string, ifMatch: IfMatch): Promise<void> {
      const version = ifMatch === null ? undefined : matched(await one(id), ifMatch).version;
      if (!(await store.integrations.remove(id, version))) found(null, "integration", id);
      runner.changed([id]);
    },

    enable: (id: string, ifMatch: IfMatch) => setEnabled(id, true, ifMatch),
    disable: (id: string, ifMatch: IfMatch) => setEnabled(id, false, ifMatch),

    /** What logs or store have lost of it is told no more, until there is more. */
    async seeLosses(id: string): Promise<IntegrationRow> {
      const row = found(await store.integrations.seeLosses(id), "integration", id);
      runner.changed([id]);
      return row;
    },

    async run(id: string): Promise<RunRow> {
      const row = await one(id);
      if (!row.enabled) throw new SluiceError("CONFLICT", `${row.name} is disabled; enable it before running it`);
      return runner.start(id, "manual", store);
    },

    nextFire: (row: IntegrationRow) => runner.nextFire(row),

    /** When it fires next by its schedule, the soonest first. */
    async fires(id: string, limit: number): Promise<Date[]> {
      const row = await one(id);
      const fires: Date[] = [];
      for (let at = runner.nextFire(row); at !== null && fires.length < limit; at = runner.nextFire(row, at)) {
        fires.push(at);
      }
      return fires;
    },

    durability: runner.durability,
  };
}

/** Name, spec and enabled, as the store has them in columns of their own. */
export type StoredIntegration = Pick<IntegrationRow, "name" | "spec" | "enabled">;

export function storedIntegration({ name, enabled = true, ...spec }: JsonObject): StoredIntegration {
  return { name: name as string, spec, enabled: enabled as boolean };
}

/** A source that is another one from now on begins anew: a cursor is kept by the name of its source. */
export async function updateIntegration(
  store: Store,
  row: IntegrationRow,
  change: StoredIntegration,
  version: number,
): Promise<IntegrationRow> {
  return found(await store.integrations.update(row.id, change, version), "integration", row.id);
}

/** `source_connector_id` and `destination_connector_id` stand for the names of those connectors. */
async function namedConnectors(body: Json, store: Store): Promise<{ spec: Json; errors: FieldError[] }> {
  if (!isObject(body)) return { spec: body, errors: [] };
  const spec: JsonObject = { ...body };
  const errors: FieldError[] = [];
  for (const side of ["source", "destination"] as const) {
    const field = `${side}_connector_id`;
    const id = spec[field];
    delete spec[field];
    if (id === undefined) continue;
    const row = typeof id === "string" ? await store.connectors.get(id) : null;
    const end = spec[side] ?? {};
    if (row === null) errors.push({ path: field, message: "is the id of no connector" });
    else if (!isObject(end)) continue;
    else if (end.connector !== undefined && end.connector !== row.name) {
      errors.push({ path: field, message: `is the id of ${row.name}, but ${side}.connector names another` });
    } else spec[side] = { ...end, connector: row.name };
  }
  return { spec, errors };
}
