import { isDeepStrictEqual } from "node:util";
import type { Connector, Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  type Change,
  checkConfig,
  type Item,
  planChanges,
  redacted,
  resolveIntegration,
  splitSecrets,
  typeName,
} from "../../runtime/config/index.ts";
import { type FieldError, joinPath, SluiceError } from "../../runtime/errors/index.ts";
import type { ConnectorRow, IntegrationRow } from "../../runtime/ports/store.ts";
import { type WantedPlugins, wantPlugins } from "./apply-plugins.ts";
import { type ConnectorInput, keepSecrets, type StoredConnector, seal, strayRedactions } from "./connectors.ts";
import { allConnectors, found, newId, refuse, type ServiceContext, sentenceOf, usersOf } from "./context.ts";
import { changedSchema, type FoundFit, findFit, keepFirstSchema } from "./fit.ts";
import { redactedValue, sealHookSecrets, unresolvedHookSecrets } from "./hook-secrets.ts";
import { storedIntegration, updateIntegration } from "./integrations.ts";
import { connectorNotes, integrationNotes, leftAsItIs, type Plan, refuseLosses } from "./plan.ts";
import { refuseBreaks } from "./plugins.ts";
import { failureOf, probeIntegration, probeTimeoutMs, within } from "./probe.ts";
import { ofConnector, ofIntegration, wrapByNewest } from "./sealed-rows.ts";

export interface ApplyOptions {
  /** Answer with the plan and change nothing. */
  readonly dryRun: boolean;
  /** Do not connect to what changed to see whether it can be used. */
  readonly skipChecks: boolean;
  /** Also what loses data or state. */
  readonly allowDestructive: boolean;
}

/** One connector or integration of the configuration, with what the store has of it. */
interface Wanted<Row> {
  readonly index: number;
  readonly value: JsonObject;
  readonly row: Row | undefined;
  readonly change: Change;
  /** Of what is made; left out: it is made when the change is. */
  readonly id?: string;
}

/** Applies a whole configuration: all of it or nothing. Parts that are not named are left as they are. */
export function applyService(context: ServiceContext) {
  return async (body: Json, options: ApplyOptions): Promise<Plan> => {
    const plugins = await wantPlugins(body, options, context);
    try {
      return await applying({ ...context, registry: plugins.registry }, plugins)(body, options);
    } finally {
      await plugins.close();
    }
  };
}

/** With the connector types as they will be. */
function applying(context: ServiceContext, plugins: WantedPlugins) {
  const { store, registry, runner, validator, sealer, resolveReference, checkCron } = context;

  return async function apply(body: Json, { dryRun, skipChecks, allowDestructive }: ApplyOptions): Promise<Plan> {
    const rows = await allConnectors(store);
    const rowByName = new Map(rows.map((row) => [row.name, row]));
    const config = await withKeptSecrets(body, rowByName);
    refuse(
      checkConfig(config, {
        validator,
        types: registry.types(),
        existing: new Map(rows.map(({ name, type }) => [name, type])),
        allConnectorsKnown: true,
        checkCron,
      }).errors,
    );
    const { connectors, integrations, left } = await compare(config as JsonObject, rowByName);
    const breaks = await plugins.breaks();
    const changes = [
      ...withBreaks(plugins.changes, breaks),
      ...[...connectors, ...integrations].map(({ change }) => change),
    ];
    if (dryRun) return { changes, left };
    if (!allowDestructive) {
      refuseBreaks(breaks);
      refuseLosses(integrations.map(({ index, change }) => ({ path: `integrations[${index}]`, change })));
    }

    const stored = new Map<string, StoredConnector>();
    for (const { value, row, change } of connectors) {
      if (change.action === "unchanged") continue;
      const input = { name: change.name, type: value.type as string, config: value.config as JsonObject };
      stored.set(change.name, await seal(row?.id ?? newId(), input, registry, sealer));
    }
    const changedIntegrations = integrations.filter(({ change }) => change.action !== "unchanged");
    const fits = skipChecks ? [] : await probe(connectors, changedIntegrations, stored, rowByName);

    const { ids, sealed } = await store.transaction(async (tx) => {
      const sealed = [...(await plugins.write(tx))];
      for (const { row, change } of connectors) {
        const parts = stored.get(change.name);
        if (parts === undefined) continue;
        sealed.push(...ofConnector(store, parts));
        if (row === undefined) await tx.connectors.create({ ...parts, owner: null });
        else found(await tx.connectors.update(row.id, parts, row.version), "connector", row.id);
      }
      const ids: string[] = [];
      for (const { value, row, id: newest = newId() } of changedIntegrations) {
        const parts = storedIntegration(value);
        const { id } =
          row === undefined
            ? await tx.integrations.create({ id: newest, ...parts, owner: null })
            : await updateIntegration(tx, row, parts, row.version);
        ids.push(id);
        sealed.push(...ofIntegration(store, { id, ...parts }));
        const fit = fits.find(({ name }) => name === parts.name);
        if (fit !== undefined) await keepFirstSchema(tx.schemas, id, parts.spec, fit.schema);
      }
      return { ids, sealed };
    });
    await wrapByNewest(sealed, { store, sealer });
    if (plugins.changes.some(({ action }) => action !== "unchanged")) await context.plugins.changed();
    runner.changed([...new Set([...ids, ...(await usersOf([...stored.keys()], store))])]);
    const fitting = changes.map((change) => {
      const fit = change.kind === "integration" ? fits.find(({ name }) => name === change.name) : undefined;
      const found = fit === undefined ? [] : [...fit.breaks, ...fit.warnings];
      return { ...change, notes: [...change.notes, ...found.map((each) => ({ ...each, destructive: false }))] };
    });
    return { changes: fitting, left };
  };

  /** The configuration with `***` replaced by the secrets that are stored under the same names. */
  async function withKeptSecrets(body: Json, rows: ReadonlyMap<string, ConnectorRow>): Promise<Json> {
    const { connectors } = (body ?? {}) as { connectors?: Json };
    if (!Array.isArray(connectors)) return body;
    const kept = connectors.map((connector, index) => {
      const { name, type } = (connector ?? {}) as JsonObject;
      const row = typeof name === "string" ? rows.get(name) : undefined;
      const same = row !== undefined && typeof type === "string" && typeName(row.type) === typeName(type);
      return !same ? connector : keepSecrets(row, connector, registry, sealer, `connectors[${index}]`);
    });
    return { ...(body as JsonObject), connectors: await Promise.all(kept) };
  }

  async function compare(config: JsonObject, rows: ReadonlyMap<string, ConnectorRow>) {
    const errors: FieldError[] = [];
    const connectors: Wanted<ConnectorRow>[] = [];
    for (const [index, given] of listOf(config.connectors).entries()) {
      const value: JsonObject = { config: {}, ...given };
      const name = value.name as string;
      const row = rows.get(name);
      const path = `connectors[${index}]`;
      if (row !== undefined && typeName(row.type) !== typeName(value.type as string)) {
        errors.push({
          path: `${path}.type`,
          message: `cannot be changed from ${typeName(row.type)}; give the new connector another name`,
        });
        continue;
      }
      const input = { name, type: value.type as string, config: value.config as JsonObject };
      errors.push(...strayRedactions(input, registry).map((each) => ({ ...each, path: joinPath(path, each.path) })));
      connectors.push({ index, value, row, change: await connectorChange(input, row) });
    }
    refuse(errors);

    const there = await store.integrations.all();
    const byName = new Map(there.map((row) => [row.name, row]));
    const integrations: Wanted<IntegrationRow>[] = [];
    for (const [index, given] of listOf(config.integrations).entries()) {
      const row = byName.get(given.name as string);
      const id = row?.id ?? newId();
      const { spec: value, errors } = await sealHookSecrets(id, given, row?.spec, sealer);
      refuse(errors.map((each) => ({ ...each, path: `integrations[${index}].${each.path}` })));
      const { spec, enabled } = storedIntegration(value);
      const current = row && toItem("integration", { ...row.spec, name: row.name, enabled: row.enabled }, row.version);
      const wanted = toItem("integration", { ...spec, name: value.name!, enabled });
      const change = planChanges(current === undefined ? [] : [current], [wanted])[0]!;
      const notes = [...change.notes, ...(await integrationNotes(change, value, row, context))];
      const fields = change.fields.map(({ before, after, ...field }) => ({
        ...field,
        ...(before !== undefined && { before: redactedValue(before) }),
        ...(after !== undefined && { after: redactedValue(after) }),
      }));
      integrations.push({ index, value, row, id, change: { ...change, fields, notes } });
    }
    for (const [index, wanted] of connectors.entries()) {
      const notes = await connectorNotes(wanted.change, there, context);
      connectors[index] = { ...wanted, change: { ...wanted.change, notes } };
    }
    const changes = [...connectors, ...integrations].map(({ change }) => change);
    const left = leftAsItIs(await store.plugins.all(), [...rows.values()], there, [...plugins.changes, ...changes]);
    return { connectors, integrations, left };
  }

  /** Invariant 7: that a secret changes is told, its values are not. */
  async function connectorChange(
    { name, type, config }: ConnectorInput,
    row: ConnectorRow | undefined,
  ): Promise<Change> {
    const { open, secrets } = splitSecrets(registry.type(type)!.config, config);
    const there = row && toItem("connector", { name, type: row.type, config: row.config }, row.version);
    const current = there === undefined ? [] : [there];
    const change = planChanges(current, [toItem("connector", { name, type, config: open })])[0]!;
    if (row === undefined || row.sealed === null) return change;
    const before = await sealer.unseal(row.id, row.sealed);
    const differ = (path: string) => Object.hasOwn(before, path) && !isDeepStrictEqual(before[path], secrets[path]);
    const changed = Object.keys(secrets).filter(differ);
    if (changed.length === 0) return change;
    const fields = changed.map((path) => ({ path: `config.${path}`, before: redacted, after: redacted }));
    const version = { before: row.version, after: row.version + 1 };
    return { ...change, action: "update", version, fields: [...change.fields, ...fields] };
  }

  /**
   * Connects to what changed and opens what changed integrations use; all that fails is told at once. Answers how the
   * integrations fit with what their connectors say.
   */
  async function probe(
    connectors: readonly Wanted<ConnectorRow>[],
    integrations: readonly Wanted<IntegrationRow>[],
    stored: ReadonlyMap<string, StoredConnector>,
    rows: ReadonlyMap<string, ConnectorRow>,
  ): Promise<(FoundFit & { readonly name: string })[]> {
    const fits: (FoundFit & { readonly name: string })[] = [];
    const errors: FieldError[] = [];
    const opened = new Map<string, Connector>();
    const enabled = integrations.filter(({ value }) => value.enabled !== false);
    const resolved = enabled.map(({ index, value, row }) => ({ index, value, row, spec: resolveIntegration(value) }));
    const used = resolved.flatMap(({ spec }) =>
      [...spec.sources, ...spec.destinations].map(({ connector }) => connector),
    );
    try {
      await inParallel([...new Set([...stored.keys(), ...used])], async (name) => {
        const index = connectors.find(({ change }) => change.name === name)?.index;
        try {
          const connector = await registry.open((stored.get(name) ?? rows.get(name))!);
          opened.set(name, connector);
          await within(probeTimeoutMs, (signal) => connector.check(signal));
        } catch (error) {
          const { message, path } = failureOf(error);
          await opened.get(name)?.close();
          opened.delete(name);
          const place = index === undefined ? `connector ${name}` : `connectors[${index}]`;
          errors.push({ path: path === undefined ? place : joinPath(place, path), message });
        }
      });
      await inParallel(resolved, async ({ index, value, row, spec }) => {
        const several = { sources: value.sources !== undefined, destinations: value.destinations !== undefined };
        const failed = await probeIntegration(spec, several, opened);
        errors.push(...failed.map(({ path, message }) => ({ path: `integrations[${index}].${path}`, message })));
        if (failed.length > 0) return;
        const fit = await findFit(value, opened);
        const changed = row === undefined ? [] : await changedSchema(store.schemas, row.id, value, fit.schema);
        const secrets = await unresolvedHookSecrets(value, resolveReference);
        fits.push({ name: value.name as string, ...fit, warnings: [...secrets, ...changed, ...fit.warnings] });
      });
    } finally {
      await Promise.all([...opened.values()].map((connector) => connector.close()));
    }
    if (errors.length > 0) throw new SluiceError("BUSINESS_RULE", `nothing was applied: ${sentenceOf(errors)}`, errors);
    return fits;
  }
}

const listOf = (list: Json | undefined): JsonObject[] => (list ?? []) as JsonObject[];

function toItem(kind: Item["kind"], { name, ...value }: JsonObject, version?: number): Item {
  return { kind, name: name as string, value, ...(version !== undefined && { version }) };
}

/** Eight at a time: enough to be quick, not so many that a server refuses connections. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** What `apply` would refuse of the plugins, at the first of those that change. */
function withBreaks(changes: readonly Change[], breaks: readonly FieldError[]): Change[] {
  const first = changes.findIndex(({ action }) => action !== "unchanged");
  const notes = breaks.map(({ message }) => ({ path: "", message, destructive: true }));
  return changes.map((change, index) => (index === first ? { ...change, notes: [...change.notes, ...notes] } : change));
}
