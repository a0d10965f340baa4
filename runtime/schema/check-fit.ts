import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { ResolvedDestination, ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import { type FieldError, joinPath } from "../errors/index.ts";
import { compileMapping, compilePredicate, getField, parseFieldPath } from "../mapping/index.ts";
import { checkColumns, type DestinationStream } from "./check-columns.ts";
import { checkRule } from "./check-rule.ts";
import type { Known } from "./known.ts";
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

const nothing: Known = { samples: [], schema: null, writtenBy: new Map() };

/** Compares an integration with its source's and destinations' schemas and with sample records, before it runs. */
export function checkFit({ spec, integration, source, destinations }: FitInput): Fit {
  const breaks: FieldError[] = [];
  const warnings: FieldError[] = [];
  const places = new Map<string, Known>([["source", { ...source, writtenBy: new Map() }]]);
  const at = (needs: readonly string[]) => (needs.length === 1 ? (places.get(needs[0] as string) ?? nothing) : nothing);

  for (const [index, { cursorField }] of integration.sources.entries()) {
    if (cursorField === undefined || integration.sources.length > 1) continue;
    const path = spec.sources === undefined ? "source.cursor_field" : `sources[${index}].cursor_field`;
    breaks.push(...checkField(path, cursorField, at(["source"]), "the source has no field"));
  }
  for (const step of integration.steps) {
    const known = at(step.needs);
    if (step.type === "map") {
      const path = mappingPath(spec, step.id);
      for (const [index, rule] of step.mapping.entries()) {
        const found = checkRule(joinPath(path, `[${index}]`), rule as JsonObject, known);
        breaks.push(...found.breaks);
        warnings.push(...found.warnings);
      }
      places.set(step.id, mapped(step, path, known));
    } else {
      places.set(step.id, step.type === "filter" ? filtered(step, known) : nothing);
    }
  }
  for (const [index, destination] of integration.destinations.entries()) {
    const known = at(destination.needs);
    const path = spec.destinations === undefined ? "destination" : `destinations[${index}]`;
    breaks.push(...checkKey(path, destination, known));
    const stream = destinations.get(destination.id);
    if (stream === undefined) continue;
    breaks.push(...checkColumns(path, stream, known));
  }
  return { breaks, warnings };
}

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

/** Where the rules of a map step stand. */
function mappingPath(spec: JsonObject, id: string): string {
  const steps = ((spec.pipeline_spec as JsonObject | undefined)?.steps ?? []) as readonly JsonObject[];
  const index = steps.findIndex((step) => step.id === id);
  return steps[index]?.mapping === undefined ? "mapping_spec" : `pipeline_spec.steps[${index}].mapping`;
}

function filtered({ where }: ResolvedStep & { type: "filter" }, known: Known): Known {
  if (typeof where !== "string") return { ...known, samples: [] }; // A script: not run here.
  const { test } = compilePredicate(where);
  return { ...known, samples: known.samples.filter((sample) => passes(test, sample)) };
}

/** What the rules make: their fields, and the source's where they copy all of it. */
function mapped({ mapping }: ResolvedStep & { type: "map" }, path: string, known: Known): Known {
  const rules = mapping as readonly JsonObject[];
  const scripted = rules.some(({ transform, when }) => transform !== undefined || isScript(when));
  const { apply } = compileMapping(scripted ? [] : mapping);
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

const isScript = (predicate: Json | undefined) => predicate !== undefined && typeof predicate !== "string";

function passes(test: (record: JsonObject) => boolean, sample: JsonObject): boolean {
  try {
    return test(sample);
  } catch {
    return false;
  }
}
