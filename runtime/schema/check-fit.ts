import type { JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { ResolvedDestination, ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import { type FieldError, joinPath } from "../errors/index.ts";
import { compileMapping, deleteField, getField, MappingFailure, parseFieldPath, setField } from "../mapping/index.ts";
import { isObject, parseJson } from "../record/index.ts";
import { checkColumns, type DestinationStream } from "./check-columns.ts";
import { checkPredicate, passing } from "./check-paths.ts";
import { checkRule } from "./check-rule.ts";
import { type Known, nothing } from "./known.ts";
import { locate } from "./locate.ts";

export interface Fit {
  /** What no record would come through, by path in the integration. */
  readonly breaks: readonly FieldError[];
  /** What some records would not come through, or what nobody can have meant. */
  readonly warnings: readonly FieldError[];
}

export interface FitInput {
  readonly spec: JsonObject;
  /** The spec, resolved. */
  readonly integration: ResolvedIntegration;
  /** What `discover` says of the source's stream, and records of it. */
  readonly source: { readonly schema: JsonSchema | null; readonly samples: readonly JsonObject[] };
  /** What `discover` says of the destinations' streams, by destination; those not known are left out. */
  readonly destinations: ReadonlyMap<string, DestinationStream>;
}

/** Compares an integration with its source's and destinations' schemas and with sample records, before it runs. */
export function checkFit({ spec, integration, source, destinations }: FitInput): Fit {
  const breaks: FieldError[] = [];
  const warnings: FieldError[] = [];
  const entry: Known = { ...source, writtenBy: new Map() };
  const places = new Map<string, Known>([["source", entry]]);
  const at = ({ id, needs }: { readonly id: string; readonly needs: readonly string[] }) =>
    together(needs.map((need) => places.get(`${need} ${id}`) ?? places.get(need) ?? nothing));

  for (const [index, { cursorField }] of integration.sources.entries()) {
    if (cursorField === undefined || integration.sources.length > 1) continue;
    const path = spec.sources === undefined ? "source.cursor_field" : `sources[${index}].cursor_field`;
    breaks.push(...checkField(path, cursorField, entry, "the source has no field"));
  }
  for (const step of integration.steps) {
    const known = at(step);
    const path = stepPath(spec, step);
    const found = checkStep(step, path, known);
    (known.partial ? warnings : breaks).push(...found.breaks);
    warnings.push(...found.warnings);
    if (step.type === "route") for (const [to, next] of routed(step, known)) places.set(`${step.id} ${to}`, next);
    else places.set(step.id, after(step, path, known));
  }
  for (const [index, destination] of integration.destinations.entries()) {
    const known = at(destination);
    const path = spec.destinations === undefined ? "destination" : `destinations[${index}]`;
    (known.partial ? warnings : breaks).push(...checkKey(path, destination, known));
    const stream = destinations.get(destination.id);
    if (stream !== undefined) breaks.push(...checkColumns(path, stream, known));
  }
  return { breaks, warnings };
}

/** What comes over several branches: samples of all, and nothing sure of any. */
function together(branches: readonly Known[]): Known {
  if (branches.length === 1) return branches[0] as Known;
  // Where one branch is unknown, it may have what the others lack.
  if (branches.some(({ samples }) => samples.length === 0)) return nothing;
  return { ...nothing, samples: branches.flatMap(({ samples }) => samples), partial: true };
}

function checkStep(step: ResolvedStep, path: string, known: Known): Fit {
  switch (step.type) {
    case "map": {
      const found = step.mapping.map((rule, i) => checkRule(joinPath(path, `[${i}]`), rule as JsonObject, known));
      return {
        breaks: found.flatMap(({ breaks }) => breaks),
        warnings: [...found.flatMap(({ warnings }) => warnings), ...stumbles(step, path, known)],
      };
    }
    case "filter": {
      const warnings = checkPredicate(`${path}.where`, step.where, known);
      if (warnings.length === 0 && known.samples.length > 0 && passing(step.where, known.samples)?.length === 0) {
        warnings.push({ path: `${path}.where`, message: `${samplesOf(0, known)} pass` });
      }
      return { breaks: [], warnings };
    }
    case "route":
      return {
        breaks: [],
        warnings: step.routes.flatMap(({ where }, i) => checkPredicate(`${path}.routes[${i}].where`, where, known)),
      };
    case "split":
      return { breaks: [], warnings: checkField(`${path}.path`, step.path, known, "no record has") };
    default:
      return { breaks: [], warnings: [] };
  }
}

/** What is known behind a step, where it is no route. */
function after(step: ResolvedStep, path: string, known: Known): Known {
  switch (step.type) {
    case "map":
      return mapped(step, path, known);
    case "filter":
      return { ...known, samples: passing(step.where, known.samples) ?? [] };
    case "validate":
      // Where nothing else is known, what passes fits this schema.
      return known.schema === null && known.samples.length === 0 ? { ...known, schema: opened(step.schema) } : known;
    case "split":
      return { ...nothing, samples: elements(step, known.samples), partial: true };
    default:
      return nothing;
  }
}

/** A schema with what it leaves unsaid said: where it does not close an object, other members may stand. */
function opened(schema: JsonObject | boolean): JsonSchema {
  return parseJson(
    JSON.stringify(schema, (_, part) =>
      isObject(part) && isObject(part.properties) ? { additionalProperties: true, ...part } : part,
    ),
  ) as JsonSchema;
}

/** What is known of the records that a route sends to each of its targets. */
function routed({ routes, otherwise }: ResolvedStep & { type: "route" }, known: Known): Map<string, Known> {
  const places = new Map<string, Known>();
  let left: readonly JsonObject[] | undefined = known.samples;
  for (const { to, where } of [...routes, ...(otherwise === null ? [] : [{ to: otherwise, where: undefined }])]) {
    const taken: readonly JsonObject[] | undefined = left && passing(where, left);
    const before = places.get(to)?.samples ?? [];
    places.set(to, { ...known, samples: [...before, ...(taken ?? [])], partial: true });
    left = taken && left?.filter((sample) => !taken.includes(sample));
  }
  return places;
}

function elements({ path, as, keepParent }: ResolvedStep & { type: "split" }, samples: readonly JsonObject[]) {
  const at = parseFieldPath(path);
  return samples.flatMap((sample): JsonObject[] => {
    const array = getField(sample, at);
    if (!Array.isArray(array)) return [];
    return array.flatMap((element) => {
      const parent: JsonObject = keepParent ? (parseJson(JSON.stringify(sample)) as JsonObject) : {};
      if (keepParent) deleteField(parent, at);
      if (as !== null) return setField(parent, parseFieldPath(as), element) ? [parent] : [];
      return isObject(element) ? [{ ...parent, ...element }] : [];
    });
  });
}

/** Where rules fail samples for another reason than a path or a cast, of which is told by itself. */
function stumbles({ mapping }: ResolvedStep & { type: "map" }, path: string, known: Known): FieldError[] {
  const { apply, scripted } = compileMapping(mapping);
  const failed = new Map<string, { readonly rule: number; readonly message: string; times: number }>();
  for (const sample of scripted ? [] : known.samples) {
    try {
      apply(sample);
    } catch (error) {
      if (!(error instanceof MappingFailure)) throw error;
      const { rule, reason, message } = error;
      if (rule === null || (reason !== "destination" && reason !== "source")) continue;
      const before = failed.get(`${rule} ${message}`);
      if (before === undefined) failed.set(`${rule} ${message}`, { rule, message, times: 1 });
      else before.times++;
    }
  }
  return [...failed.values()].map(({ rule, message, times }) => ({
    path: joinPath(path, `[${rule}]`),
    message: `${samplesOf(times, known)} fail: ${message}`,
  }));
}

const samplesOf = (count: number, { samples: { length } }: Known) =>
  `${count} of ${length} sample record${length === 1 ? "" : "s"}`;

function checkKey(path: string, { key }: ResolvedDestination, known: Known): FieldError[] {
  return key.flatMap((field, index) =>
    checkField(`${path}.key[${index}]`, field, known, "no record has the key field"),
  );
}

function checkField(path: string, field: string, { schema, samples }: Known, message: string): FieldError[] {
  const parts = parseFieldPath(field);
  if (samples.some((sample) => getField(sample, parts) !== undefined)) return [];
  const missing = schema === null ? samples.length > 0 : locate(schema, parts).found === "no";
  return missing ? [{ path, message: `${message} ${field}` }] : [];
}

/** Where a step stands; of a map step its rules. */
function stepPath(spec: JsonObject, { id, type }: ResolvedStep): string {
  const steps = ((spec.pipeline_spec as JsonObject | undefined)?.steps ?? []) as readonly JsonObject[];
  const index = steps.findIndex((step) => step.id === id);
  if (type !== "map") return `pipeline_spec.steps[${index}]`;
  return steps[index]?.mapping === undefined ? "mapping_spec" : `pipeline_spec.steps[${index}].mapping`;
}

/** What the rules make: their fields, and the source's where they copy all of it. */
function mapped({ mapping }: ResolvedStep & { type: "map" }, path: string, known: Known): Known {
  const rules = mapping as readonly JsonObject[];
  const { scripted, apply } = compileMapping(mapping); // Scripts are not run here.
  const samples = (scripted ? [] : known.samples).flatMap((sample) => {
    try {
      return [apply(sample)];
    } catch {
      return []; // That it fails is said of its rule.
    }
  });
  const writtenBy = new Map<string, string>();
  const properties = new Map<string, JsonSchema>();
  let closed = true;
  for (const [index, rule] of rules.entries()) {
    if (rule.drop !== undefined) {
      const [name, ...below] = parseFieldPath(rule.drop as string);
      if (below.length === 0 && rule.when === undefined) properties.delete(name as string);
    } else if (rule.destination === "*") {
      const copied = rule.source === "$" && rule.each === undefined ? known.schema : null;
      const members = (copied as { properties?: { [name: string]: JsonSchema } } | null)?.properties;
      if (members === undefined) closed = false;
      for (const [name, schema] of Object.entries(members ?? {})) properties.set(name, schema);
    } else {
      const [name, ...below] = parseFieldPath(rule.destination as string);
      writtenBy.set(name as string, joinPath(path, `[${index}]`));
      properties.set(name as string, below.length > 0 ? {} : checkRule("", rule, known).result);
    }
  }
  const schema = {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(!closed && { additionalProperties: true }),
  };
  return { samples, schema, writtenBy };
}
