import { isDeepStrictEqual } from "node:util";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  type Change,
  checkPlugin,
  type Note,
  planChanges,
  pluginSchema,
  redacted,
  splitSecrets,
} from "../../runtime/config/index.ts";
import { type FieldError, joinPath, SluiceError } from "../../runtime/errors/index.ts";
import type { ConnectorRegistry } from "../../runtime/ports/connectors.ts";
import type { PluginRow, TriedPlugin } from "../../runtime/ports/plugins.ts";
import type { Store } from "../../runtime/ports/store.ts";
import { isObject } from "../../runtime/record/index.ts";
import { newId, type ServiceContext, sentenceOf } from "./context.ts";
import {
  findBreaks,
  inputOf,
  keepSecrets,
  type PluginInput,
  type PluginOptions,
  replaceTypes,
  stored,
  strayRedactions,
  tryOne,
} from "./plugins.ts";
import { failureOf } from "./probe.ts";
import { ofPlugin, type Sealed } from "./sealed-rows.ts";

/** The plugins of a configuration, those that change started beside what runs. The caller closes them. */
export interface WantedPlugins {
  readonly changes: readonly Change[];
  /** Of all connector types as they will be. */
  readonly registry: ConnectorRegistry;
  /** Connectors that would not work any more, save those of the configuration itself. */
  breaks(): Promise<FieldError[]>;
  write(tx: Store): Promise<readonly Sealed[]>;
  close(): Promise<void>;
}

interface Wanted {
  readonly index: number;
  readonly input: PluginInput;
  readonly row: PluginRow | undefined;
  readonly change: Change;
}

/** Throws where one cannot be started or reached, and nothing is started any more then. */
export async function wantPlugins(body: Json, options: PluginOptions, context: ServiceContext): Promise<WantedPlugins> {
  const { store, plugins, registry, validator, sealer } = context;
  const { plugins: given, connectors } = (isObject(body) ? body : {}) as { plugins?: Json; connectors?: Json };
  const list = Array.isArray(given) ? given : [];
  const rows = new Map(list.length === 0 ? [] : (await store.plugins.all()).map((row) => [row.name, row]));
  const wanted: Wanted[] = [];
  const errors: FieldError[] = [];
  for (const [index, each] of list.entries()) {
    // What is wrong with its shape is told with the rest of the configuration.
    if (checkPlugin(each, { validator }).length > 0) continue;
    const row = rows.get((each as JsonObject).name as string);
    const input = inputOf(
      row === undefined ? (each as JsonObject) : await keepSecrets(row, each as JsonObject, sealer),
    );
    errors.push(...below(index, strayRedactions(input)));
    wanted.push({ index, input, row, change: await changeOf(input, row, sealer) });
  }
  if (errors.length > 0) throw new SluiceError("VALIDATION_ERROR", sentenceOf(errors), errors);

  const changing = wanted.filter(({ change }) => change.action !== "unchanged");
  const tried = new Map<string, TriedPlugin | undefined>();
  const close = async () => void (await Promise.all([...tried.values()].map((each) => each?.close())));
  const failures: { readonly code: string; readonly errors: readonly FieldError[] }[] = [];
  await Promise.all(
    changing.map(async ({ index, input }) => {
      try {
        tried.set(input.name, await tryOne(input, options, context));
      } catch (error) {
        const { code, message, path } = failureOf(error);
        failures.push({ code, errors: below(index, [{ path: path ?? "", message }]) });
      }
    }),
  );
  if (failures.length > 0) {
    await close();
    const all = failures.flatMap((failure) => failure.errors);
    const refused = ["VALIDATION_ERROR", "CONFLICT"] as const;
    const code = refused.find((each) => failures.some((failure) => failure.code === each)) ?? "BUSINESS_RULE";
    throw new SluiceError(code, `nothing was applied: ${sentenceOf(all)}`, all);
  }

  const changedTypes = new Map([...tried].map(([name, each]) => [name, each?.type]));
  const types = replaceTypes(plugins.types(), changedTypes);
  return {
    changes: wanted.map(({ change, row }) => {
      const now = tried.get(change.name)?.type;
      return { ...change, notes: [...change.notes, ...(now === undefined ? [] : serving(now, row))] };
    }),
    registry: registry.with(types),
    breaks: async () => {
      const named = Array.isArray(connectors) ? connectors : [];
      const names = named.flatMap((each) => (isObject(each) && typeof each.name === "string" ? [each.name] : []));
      return changing.length === 0 ? [] : await findBreaks(types, context, new Set(names));
    },
    write: async (tx) => {
      const written: Sealed[] = [];
      for (const { input, row } of changing) {
        const parts = await stored(row?.id ?? newId(), input, tried.get(input.name), sealer);
        const now =
          row === undefined
            ? await tx.plugins.create({ name: input.name, ...parts })
            : await tx.plugins.update(row.id, parts, row.version);
        if (now !== null) written.push(...ofPlugin(context.store, now));
      }
      return written;
    },
    close,
  };
}

/** Invariant 7: that a secret changes is told, its values are not. */
async function changeOf(
  { name, spec }: PluginInput,
  row: PluginRow | undefined,
  sealer: ServiceContext["sealer"],
): Promise<Change> {
  const { open, secrets } = splitSecrets(pluginSchema, spec);
  const item = { kind: "plugin", name } as const;
  const current = row === undefined ? [] : [{ ...item, value: row.spec, version: row.version }];
  const change = planChanges(current, [{ ...item, value: open }])[0]!;
  if (row === undefined || row.sealed === null) return change;
  const before = await sealer.unseal(row.id, row.sealed);
  const differs = (path: string) => Object.hasOwn(before, path) && !isDeepStrictEqual(before[path], secrets[path]);
  const fields = Object.keys(secrets)
    .filter(differs)
    .map((path) => ({ path, before: redacted, after: redacted }));
  if (fields.length === 0) return change;
  const version = { before: row.version, after: row.version + 1 };
  return { ...change, action: "update", version, fields: [...change.fields, ...fields] };
}

function serving({ type, version }: { type: string; version: string }, row: PluginRow | undefined): Note[] {
  const before = row?.serves ? ` (before: ${row.serves.type} ${row.serves.version})` : "";
  return [{ path: "", message: `serves ${type} ${version}${before}`, destructive: false }];
}

const below = (index: number, errors: readonly FieldError[]): FieldError[] =>
  errors.map(({ path, message }) => ({ path: joinPath(`plugins[${index}]`, path), message }));
