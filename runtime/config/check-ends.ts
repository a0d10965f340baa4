import type { ConnectorType, Json } from "../../connectors/sdk/index.ts";
import { type FieldError, unknownName } from "../errors/index.ts";
import type { CheckContext, Findings } from "./check-context.ts";
import { items, object, strings } from "./json-shape.ts";

/** Every batch carries the positions of all of them. */
const maxSources = 32;

interface End {
  readonly path: string;
  readonly value: Json;
}

/** Sources and destinations: one form of each, connectors that exist and can do what is asked of them. */
export function checkEnds(spec: Json, context: CheckContext): Findings {
  const errors: FieldError[] = [];
  const warnings: FieldError[] = [];
  const { source, sources, destination, destinations, trigger } = object(spec);
  const pushed = object(trigger).type === "webhook";
  const endless = pushed || object(trigger).type === "event";
  if (source !== undefined && sources !== undefined) {
    errors.push({ path: "sources", message: "stands beside source; give one of the two" });
  }
  if (source === undefined && sources === undefined && !pushed) {
    errors.push({ path: "source", message: "is required (or sources)" });
  }
  if (pushed && (source ?? sources) !== undefined) {
    const path = source === undefined ? "sources" : "source";
    errors.push({ path, message: "does not go with trigger webhook, whose records are sent to it" });
  }
  if (destination !== undefined && destinations !== undefined) {
    errors.push({ path: "destinations", message: "stands beside destination; give one of the two" });
  }
  if (destination === undefined && destinations === undefined) {
    errors.push({ path: "destination", message: "is required (or destinations)" });
  }

  for (const { path, value } of ends("source", source, sources)) {
    const { connector, mode = "full", cursor_field } = object(value);
    const type = findConnector(path, connector, context, errors, warnings);
    if (type) checkMode(path, "source", mode, type, errors);
    errors.push(...checkStream(path, value, type, context));
    if (endless && type?.capabilities.source && type.capabilities.source.endless !== true) {
      const message = `connectors of type ${type.type} are not read without an end, as trigger event asks`;
      errors.push({ path: `${path}.connector`, message });
    }
    if (endless && object(value).mode === "full") {
      const message = "is of no effect with trigger event: what is read without an end goes on where it stood";
      warnings.push({ path: `${path}.mode`, message });
    }
    const ownCursor = type === undefined || type.capabilities.source?.ownCursor === true;
    if (mode === "incremental" && cursor_field === undefined && !ownCursor) {
      errors.push({ path: `${path}.cursor_field`, message: "is required by mode incremental" });
    }
  }
  errors.push(...twice(items(sources)));
  if (items(sources).length > maxSources) errors.push({ path: "sources", message: `are more than ${maxSources}` });
  for (const { path, value } of ends("destination", destination, destinations)) {
    const { connector, mode = "append", key } = object(value);
    const type = findConnector(path, connector, context, errors, warnings);
    if (type) checkMode(path, "destination", mode, type, errors);
    errors.push(...checkStream(path, value, type, context));
    if (endless && mode === "replace") {
      const message = "takes away with each hour's run what the one before has written (trigger event or webhook)";
      warnings.push({ path: `${path}.mode`, message });
    }
    if (mode === "upsert" && strings(key).length === 0) {
      errors.push({ path: `${path}.key`, message: "is required by mode upsert: the fields that identify a record" });
    }
  }
  return { errors, warnings };
}

/** Positions are kept by what a source reads: the same thing cannot be read twice. */
function twice(sources: readonly Json[]): FieldError[] {
  const seen = new Map<string, number>();
  return sources.flatMap((source, index) => {
    const { connector, stream, mode = "full", cursor_field = null } = object(source);
    const name = JSON.stringify([connector, stream, mode, cursor_field]);
    const first = seen.get(name);
    if (first === undefined) seen.set(name, index);
    return first === undefined ? [] : [{ path: `sources[${index}]`, message: `reads the same as sources[${first}]` }];
  });
}

function ends(name: string, one: Json | undefined, several: Json | undefined): End[] {
  return [
    ...(one === undefined ? [] : [{ path: name, value: one }]),
    ...items(several).map((value, index) => ({ path: `${name}s[${index}]`, value })),
  ];
}

/** The type of a connector that is named, where it is known; says so where there is no such connector. */
export function findConnector(
  end: string,
  name: Json | undefined,
  { connectors, allConnectorsKnown }: CheckContext,
  errors: FieldError[],
  warnings: FieldError[],
): ConnectorType | undefined {
  if (typeof name !== "string") return undefined;
  const type = connectors.get(name);
  if (type === undefined) {
    const path = `${end}.connector`;
    if (allConnectorsKnown) errors.push({ path, message: unknownName("connector", name, [...connectors.keys()]) });
    else warnings.push({ path, message: `connector ${name} is not in these files; the server must have it already` });
  }
  return type ?? undefined;
}

/** Whether the connector's type has such streams at all. */
function checkStream(end: string, value: Json, type: ConnectorType | undefined, context: CheckContext): FieldError[] {
  const { stream } = object(value);
  if (type?.stream === undefined || typeof stream !== "string") return [];
  const found = context.validator.compile(type.stream as object | boolean)(stream);
  return found.map(({ message }) => ({ path: `${end}.stream`, message }));
}

function checkMode(end: string, side: "source" | "destination", mode: Json, type: ConnectorType, errors: FieldError[]) {
  const modes: readonly string[] | undefined = type.capabilities[side]?.modes;
  if (modes === undefined) {
    errors.push({ path: `${end}.connector`, message: `connectors of type ${type.type} cannot be a ${side}` });
  } else if (typeof mode === "string" && !modes.includes(mode)) {
    const message = `connectors of type ${type.type} have no mode ${mode} as a ${side}, only ${modes.join(", ")}`;
    errors.push({ path: `${end}.mode`, message });
  }
}
