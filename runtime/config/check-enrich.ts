import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath, messageOf, SluiceError } from "../errors/index.ts";
import { parseFieldPath, parseRequest } from "../mapping/index.ts";
import { isObject } from "../record/index.ts";
import type { CheckContext, Findings } from "./check-context.ts";
import { findConnector } from "./check-ends.ts";
import { items, object } from "./json-shape.ts";
import { checkReferences, hasReference } from "./references.ts";

/** `enrich` steps ask connectors that exist and can be asked, with requests that these take as far as that is known. */
export function checkEnrich(spec: Json, context: CheckContext): Findings {
  const errors: FieldError[] = [];
  const warnings: FieldError[] = [];
  items(object(object(spec).pipeline_spec).steps).forEach((step, index) => {
    const { type, connector, request, merge_at } = object(step);
    if (type !== "enrich") return;
    const at = `pipeline_spec.steps[${index}]`;
    if (typeof merge_at === "string" && merge_at !== "") {
      const message = fieldPathFault(merge_at);
      if (message !== undefined) errors.push({ path: `${at}.merge_at`, message });
    }
    const found = findConnector(at, connector, context, errors, warnings);
    if (found && !found.capabilities.lookup) {
      errors.push({ path: `${at}.connector`, message: `connectors of type ${found.type} cannot look anything up` });
    }
    if (!isObject(request)) return; // Which the schema says.
    const path = `${at}.request`;
    const texts = textsIn(request);
    const faults = [...templateFaults(request), ...texts.flatMap(referenceFaults)];
    const below = (each: FieldError) => ({ ...each, path: joinPath(path, each.path) });
    errors.push(...faults.map(below));
    const schema = found?.capabilities.lookup?.request;
    if (schema === undefined || faults.length > 0) return;
    // What a template or a reference gives is checked by the connector, once there is a record.
    const open = new Set(texts.filter(({ text }) => /\{\{/.test(text) || hasReference(text)).map((each) => each.path));
    const refused = context.validator
      .compile(schema)(request)
      .filter((each) => !open.has(each.path));
    errors.push(...refused.map(below));
  });
  return { errors, warnings };
}

function fieldPathFault(path: string): string | undefined {
  try {
    const [first] = parseFieldPath(path);
    return typeof first === "number" ? "a record is an object: a path in it begins with a name" : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

interface Text {
  readonly path: string;
  readonly text: string;
}

function textsIn(value: Json, path = ""): Text[] {
  if (typeof value === "string") return [{ path, text: value }];
  const entries: [string | number, Json][] = Array.isArray(value)
    ? [...value.entries()]
    : (Object.entries(object(value)) as [string, Json][]);
  return entries.flatMap(([segment, item]) => textsIn(item, joinPath(path, formatPath([segment]))));
}

function referenceFaults({ path, text }: Text): FieldError[] {
  const message = checkReferences(text);
  return message === undefined ? [] : [{ path, message }];
}

function templateFaults(request: Json): readonly FieldError[] {
  try {
    parseRequest(request);
    return [];
  } catch (error) {
    if (error instanceof SluiceError) return error.errors;
    throw error;
  }
}
