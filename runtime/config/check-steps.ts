import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, unknownName } from "../errors/index.ts";
import { type Node, sortGraph } from "./graph.ts";
import { items, object, strings } from "./json-shape.ts";

interface Located extends Node {
  /** Path of the step or destination. */
  readonly path: string;
  readonly kind: "step" | "destination";
  /** `needs` as configured; what is filled in needs no blame. */
  readonly given: readonly string[];
}

/** Ids are unique, everything that is needed exists, nothing goes round, and nothing is led nowhere. */
export function checkSteps(spec: Json): FieldError[] {
  const errors: FieldError[] = [];
  const { steps, destinations, usesMapping, explicit } = locate(spec);
  const all = [...steps, ...destinations];
  const byId = new Map<string, Located>();
  for (const node of all) {
    const other = byId.get(node.id);
    if (node.id === "source") {
      errors.push({ path: `${node.path}.id`, message: "source is taken: it stands for the integration's source" });
    } else if (other !== undefined) {
      const message = `${node.id} is the id of ${other.path} already; every step and destination needs one of its own`;
      errors.push({ path: `${node.path}.id`, message });
    } else byId.set(node.id, node);
  }

  const stepIds = steps.map(({ id }) => id);
  for (const node of all) {
    node.given.forEach((need, index) => {
      const path = `${node.path}.needs[${index}]`;
      if (node.given.indexOf(need) < index) errors.push({ path, message: `${need} stands here twice` });
      else if (need === "source" || stepIds.includes(need)) return;
      else if (byId.has(need)) errors.push({ path, message: `${need} is a destination, and nothing follows one` });
      else errors.push({ path, message: unknownName("step", need, ["source", ...stepIds]) });
    });
  }

  // Where two share an id, or take the source's, what looks like a cycle is most likely none.
  const distinct = steps.every((step) => byId.get(step.id) === step);
  const { cycle } = distinct ? sortGraph(steps) : { cycle: [] };
  if (cycle.length > 0) {
    const path = `${byId.get(cycle[0]!)!.path}.needs`;
    errors.push({ path, message: `goes round in a cycle: ${[...cycle, cycle[0]].join(" → ")}` });
  }
  const needed = new Set(all.flatMap(({ needs }) => needs));
  for (const step of steps) {
    if (!needed.has(step.id)) {
      errors.push({ path: step.path, message: `step ${step.id} leads nowhere: no step or destination needs it` });
    }
  }
  errors.push(...checkRoutes(spec, all), ...checkMappingUse(spec, explicit, usesMapping));
  return errors;
}

/** What a route names must name the route in its needs, and what needs a route must be named by it. */
function checkRoutes(spec: Json, all: readonly Located[]): FieldError[] {
  const errors: FieldError[] = [];
  items(object(object(spec).pipeline_spec).steps).forEach((step, index) => {
    const { id, type, routes, otherwise } = object(step);
    if (type !== "route" || typeof id !== "string") return;
    const path = `pipeline_spec.steps[${index}]`;
    const named = items(routes).map((route, i) => ({ path: `${path}.routes[${i}].to`, to: object(route).to }));
    if (otherwise !== undefined) named.push({ path: `${path}.otherwise`, to: otherwise });
    for (const { path, to } of named) {
      const target = all.find((node) => node.id === to);
      if (typeof to !== "string") continue;
      if (target === undefined) {
        errors.push({
          path,
          message: unknownName(
            "step or destination",
            to,
            all.map((node) => node.id),
          ),
        });
      } else if (!target.needs.includes(id)) {
        errors.push({
          path,
          message: `${to} does not name this route in its needs; add ${id} to ${target.path}.needs`,
        });
      }
    }
    for (const node of all) {
      if (!node.needs.includes(id) || named.some(({ to }) => to === node.id)) continue;
      errors.push({ path: `${node.path}.needs`, message: `${id} is a route that sends nothing to ${node.id}` });
    }
  });
  return errors;
}

function checkMappingUse(spec: Json, explicit: boolean, usesMapping: readonly string[]): FieldError[] {
  const given = object(spec).mapping_spec !== undefined;
  if (given && explicit && usesMapping.length === 0) {
    return [{ path: "mapping_spec", message: "is used by no step; add a map step without a mapping, or remove it" }];
  }
  if (given) return [];
  return usesMapping.map((path) => ({
    path: `${path}.mapping`,
    message: "is required, since there is no mapping_spec to fall back on",
  }));
}

/** Steps and destinations with what feeds them, as far as the spec is of a shape that tells. */
function locate(spec: Json) {
  const { pipeline_spec, mapping_spec, destination, destinations } = object(spec);
  const configured = object(pipeline_spec).steps;
  const steps: Located[] = [];
  const usesMapping: string[] = [];
  let before = "source";
  items(configured).forEach((value, index) => {
    const { id, needs, type, mapping } = object(value);
    const path = `pipeline_spec.steps[${index}]`;
    if (type === "map" && mapping === undefined) usesMapping.push(path);
    if (typeof id !== "string") return;
    const given = strings(needs);
    steps.push({ id, kind: "step", path, given, needs: given.length > 0 ? given : [before] });
    before = id;
  });
  const explicit = configured !== undefined;
  if (!explicit && mapping_spec !== undefined) {
    // The map step that stands for a mapping_spec alone.
    steps.push({ id: "map", kind: "step", path: "mapping_spec", given: [], needs: ["source"] });
    before = "map";
  }

  const ends = destination === undefined ? [] : [{ path: "destination", value: destination }];
  ends.push(...items(destinations).map((value, index) => ({ path: `destinations[${index}]`, value })));
  const located = ends.flatMap(({ path, value }): Located[] => {
    const { id, connector, needs } = object(value);
    const given = strings(needs);
    const name = id ?? connector;
    if (typeof name !== "string") return [];
    return [{ id: name, kind: "destination", path, given, needs: given.length > 0 ? given : [before] }];
  });
  return { steps, destinations: located, usesMapping, explicit };
}
