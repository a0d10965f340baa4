import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath, messageOf, SluiceError } from "../errors/index.ts";
import { compileMapping, compilePredicate, lintRules, parseFieldPath } from "../mapping/index.ts";
import { isObject } from "../record/index.ts";
import { checkScript } from "../sandbox/index.ts";
import { checkAggregate } from "./check-aggregate.ts";
import type { Findings } from "./check-context.ts";
import { items, object } from "./json-shape.ts";
import { hasReference } from "./references.ts";

/** Mappings and predicates compile; what their compilers find odd is warned of, and references where they are text. */
export function checkLanguage(spec: Json): Findings {
  const { mapping_spec, pipeline_spec } = object(spec);
  const errors: FieldError[] = [];
  const warnings = [...findStrayReferences(spec), ...findIdle(spec)];
  const mapping = (path: string, rules: readonly Json[]) =>
    errors.push(
      ...attempt(path, () => {
        warnings.push(...compileMapping(rules).warnings.map((each) => below(path, each)));
        warnings.push(...lintRules(rules, parseFieldPath(path)));
      }),
    );
  const predicate = (path: string, where: Json | undefined) => {
    if (typeof where !== "string" && !isObject(where)) return; // Of the wrong shape, which is said elsewhere.
    const warn = (message: string) => warnings.push({ path, message });
    errors.push(...attempt(path, () => compilePredicate(where).warnings.forEach(warn)));
  };
  if (Array.isArray(mapping_spec)) mapping("mapping_spec", mapping_spec);
  items(object(pipeline_spec).steps).forEach((step, index) => {
    const { type, mapping: rules, where, routes, path: array, as, script } = object(step);
    const path = `pipeline_spec.steps[${index}]`;
    if (type === "map" && Array.isArray(rules)) mapping(`${path}.mapping`, rules);
    if (type === "filter") predicate(`${path}.where`, where);
    if (type === "route") {
      for (const [i, route] of items(routes).entries()) predicate(`${path}.routes[${i}].where`, object(route).where);
      warnings.push(...findDeadRoutes(path, items(routes)));
    }
    if (type === "transform" && typeof script === "string") {
      const problem = checkScript({ kind: "function", source: script });
      if (problem !== undefined) errors.push({ path: `${path}.script`, message: problem });
    }
    if (type === "aggregate") {
      errors.push(...checkAggregate(path, step));
      const { emit } = object(step);
      if (Array.isArray(emit)) mapping(`${path}.emit`, emit);
    }
    if (type === "split") {
      if (typeof array === "string") errors.push(...attempt(`${path}.path`, () => parseFieldPath(array)));
      if (typeof as === "string") errors.push(...attempt(`${path}.as`, () => parseFieldPath(as)));
    }
  });
  return { errors, warnings };
}

/** Keys that another option would have to make something of. */
function findIdle(spec: Json): FieldError[] {
  const { ordering, key, idempotency } = object(object(spec).delivery);
  const found: FieldError[] = [];
  if (items(key).length > 0 && ordering !== "key") {
    found.push({ path: "delivery.key", message: "has no effect without ordering key" });
  }
  const { key: identity, window } = object(idempotency);
  if (typeof identity === "string" && window === undefined) {
    found.push({ path: "delivery.idempotency.key", message: "has no effect without idempotency.window" });
  }
  return found;
}

/** A route whose predicate an earlier one has takes nothing: the first that matches does. */
function findDeadRoutes(path: string, routes: readonly Json[]): FieldError[] {
  const texts = routes.map((route) => JSON.stringify(object(route).where));
  return texts.flatMap((text, index) => {
    const earlier = texts.indexOf(text);
    if (text === undefined || earlier === index) return [];
    const message = `takes nothing: ${path}.routes[${earlier}] has the same predicate, and the first that matches counts`;
    return [{ path: `${path}.routes[${index}].where`, message }];
  });
}

const below = (path: string, found: FieldError): FieldError => ({ ...found, path: joinPath(path, found.path) });

/** Fields named by a path, wherever the spec takes one. */
export function checkFieldPaths(spec: Json): FieldError[] {
  const { source, sources, destination, destinations, delivery } = object(spec);
  const { key, idempotency } = object(delivery);
  const errors: FieldError[] = [];
  const check = (path: string, value: Json | undefined) => {
    if (typeof value === "string" && value !== "") errors.push(...attempt(path, () => parseFieldPath(value)));
  };
  const checkAll = (path: string, value: Json | undefined) => {
    for (const [index, item] of items(value).entries()) check(`${path}[${index}]`, item);
  };
  check("source.cursor_field", object(source).cursor_field);
  checkAll("destination.key", object(destination).key);
  for (const [index, each] of items(sources).entries()) {
    check(`sources[${index}].cursor_field`, object(each).cursor_field);
  }
  for (const [index, each] of items(destinations).entries()) {
    checkAll(`destinations[${index}].key`, object(each).key);
  }
  checkAll("delivery.key", key);
  check("delivery.idempotency.key", object(idempotency).key);
  if (object(delivery).ordering === "key" && items(key).length === 0) {
    errors.push({ path: "delivery.key", message: "is required by ordering key: the fields whose order is kept" });
  }
  return errors;
}

/** What the compiler has against a part of the configuration, with paths from the whole. */
function attempt(path: string, compile: () => unknown): FieldError[] {
  try {
    compile();
    return [];
  } catch (error) {
    if (!(error instanceof SluiceError) || error.errors.length === 0) return [{ path, message: messageOf(error) }];
    return error.errors.map((each) => below(path, each));
  }
}

/** Where references are looked up; anywhere else in an integration they are plain text. */
const resolved = /^trigger\.auth\b|^pipeline_spec\.steps\[\d+\]\.request\b/;

function findStrayReferences(spec: Json, path = ""): FieldError[] {
  if (typeof spec === "string") {
    const message =
      "is plain text here: references are resolved only in a connector's config, a request and a trigger's auth";
    return hasReference(spec) && !resolved.test(path) ? [{ path, message }] : [];
  }
  if (Array.isArray(spec))
    return spec.flatMap((item, index) => findStrayReferences(item, joinPath(path, `[${index}]`)));
  return Object.entries(object(spec)).flatMap(([name, item]) =>
    findStrayReferences(item!, joinPath(path, formatPath([name]))),
  );
}
