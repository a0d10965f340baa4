import type { ErrorObject } from "ajv/dist/2020.js";
import type { Json } from "../../connectors/sdk/index.ts";
import {
  type FieldError,
  formatPath,
  joinPath,
  nearest,
  type Segment,
  unknownName,
} from "../../runtime/errors/index.ts";
import { expressionKeyword } from "./expression-errors.ts";

/** Ajv's errors as sentences with field paths, those that only explain another one left out. */
export function toFieldErrors(all: readonly ErrorObject[], value: Json): FieldError[] {
  // Nobody reads more, and what explains others is looked for among all of them.
  const errors = all.slice(0, 1_000);
  const seen = new Set<string>();
  return withoutBranches(errors)
    .map((error) => toFieldError(error, value))
    .filter(({ path, message }) => {
      const key = `${path}\n${message}`;
      return !seen.has(key) && seen.add(key);
    });
}

/** `additionalProperties` and `required` name a field below the object they are about. */
function toFieldError(error: ErrorObject, value: Json): FieldError {
  const segments = toSegments(error.instancePath, value);
  const { params } = error;
  if (error.keyword === "additionalProperties" || error.keyword === "unevaluatedProperties") {
    const field = (params.additionalProperty ?? params.unevaluatedProperty) as string;
    const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
    return { path: formatPath([...segments, field]), message: unknownName("field", field, known) };
  }
  if (error.keyword === "required") {
    return { path: formatPath([...segments, params.missingProperty as string]), message: "is required" };
  }
  if (error.keyword === "discriminator") {
    return { path: formatPath([...segments, params.tag as string]), message: discriminator(error) };
  }
  if (error.keyword === expressionKeyword) {
    return { path: joinPath(formatPath(segments), params.path as string), message: error.message ?? "" };
  }
  return { path: formatPath(segments), message: sentence(error) };
}

function sentence(error: ErrorObject): string {
  const { keyword, params, data, schema, parentSchema } = error;
  switch (keyword) {
    case "type":
      if (params.type === "integer" && typeof data === "number") return "must be an integer, not a fraction";
      return `must be ${typeNames(params.type as string | string[])}, not ${typeOf(data)}`;
    case "enum":
      return oneOf(data, params.allowedValues as unknown[]);
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case "pattern":
      return `must be ${(parentSchema?.$comment as string | undefined) ?? `of the form ${params.pattern}`}`;
    case "format":
      return `must be of the format ${params.format}`;
    case "minLength":
      return params.limit === 1 ? "must not be empty" : `must be at least ${params.limit} characters long`;
    case "maxLength":
      return `must be at most ${params.limit} characters long`;
    case "minItems":
      return `must hold at least ${count(params.limit, "item")}`;
    case "maxItems":
      return `must hold at most ${count(params.limit, "item")}`;
    case "minProperties":
      return `must hold at least ${count(params.limit, "field")}`;
    case "maxProperties":
      return `must hold at most ${count(params.limit, "field")}`;
    case "uniqueItems":
      return `must not hold an item twice (items ${params.j} and ${params.i} are equal)`;
    case "minimum":
      return `must be at least ${JSON.stringify(schema)}`;
    case "maximum":
      return `must be at most ${JSON.stringify(schema)}`;
    case "exclusiveMinimum":
      return `must be greater than ${JSON.stringify(schema)}`;
    case "exclusiveMaximum":
      return `must be less than ${JSON.stringify(schema)}`;
    case "multipleOf":
      return `must be a multiple of ${JSON.stringify(schema)}`;
    case "anyOf":
    case "oneOf":
      return missingAlternatives(error) ?? "fits none of the forms that are allowed here";
    case "false schema":
      return "is not allowed here";
    default:
      return error.message ?? `breaks the rule ${keyword}`;
  }
}

function oneOf(value: unknown, allowed: readonly unknown[]): string {
  const near =
    typeof value === "string"
      ? nearest(
          value,
          allowed.filter((each) => typeof each === "string"),
        )
      : undefined;
  return `must be one of ${allowed.join(", ")}${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}`;
}

function discriminator(error: ErrorObject): string {
  const { tag, tagValue } = error.params as { tag: string; tagValue: unknown };
  const branches = (error.parentSchema?.oneOf ?? []) as {
    properties: Record<string, { const?: unknown; enum?: unknown[] }>;
  }[];
  const allowed = branches.flatMap(({ properties }) => properties[tag]?.enum ?? [properties[tag]?.const]);
  if (tagValue === undefined) return `is required: one of ${allowed.join(", ")}`;
  return oneOf(tagValue, allowed);
}

/** An `anyOf` whose branches only ask for fields: `{ anyOf: [{ required: [url] }, { required: [host] }] }`. */
function missingAlternatives(error: ErrorObject): string | undefined {
  const branches = error.schema as { required?: string[] }[];
  if (!Array.isArray(branches)) return undefined;
  if (!branches.every((branch) => Array.isArray(branch?.required))) return undefined;
  const groups = branches.map((branch) => branch.required!.join(" and "));
  return error.keyword === "oneOf" ? `needs exactly one of ${groups.join(", ")}` : `needs one of ${groups.join(", ")}`;
}

/**
 * Of an `anyOf` or `oneOf` that failed, the errors of the branch that came nearest (the only one that got past the
 * value's type or its constants) stand for it; where that is none or several, the error of the whole does.
 */
function withoutBranches(errors: readonly ErrorObject[]): ErrorObject[] {
  // `if` only says that its `then` or `else`, which speaks for itself, failed.
  let left = errors.filter(({ keyword }) => keyword !== "if");
  for (const whole of errors) {
    if ((whole.keyword !== "anyOf" && whole.keyword !== "oneOf") || !left.includes(whole)) continue;
    const inside = left.filter((error) => error !== whole && error.schemaPath.startsWith(`${whole.schemaPath}/`));
    const branches = Map.groupBy(inside, (error) => error.schemaPath.slice(whole.schemaPath.length + 1).split("/")[0]!);
    const near = [...branches.values()].filter(
      (branch) => !branch.some(({ keyword, instancePath }) => isMismatch(keyword, instancePath, whole.instancePath)),
    );
    const kept = near.length === 1 && missingAlternatives(whole) === undefined ? [whole, ...near[0]!] : [whole];
    const dropped = new Set([...inside.filter((error) => !kept.includes(error)), ...(kept.length > 1 ? [whole] : [])]);
    left = left.filter((error) => !dropped.has(error));
  }
  return left;
}

const isMismatch = (keyword: string, at: string, whole: string): boolean =>
  (keyword === "type" && at === whole) || keyword === "const" || keyword === "enum";

function toSegments(pointer: string, value: Json): Segment[] {
  let at: Json | undefined = value;
  return pointer
    .split("/")
    .slice(1)
    .map((part) => {
      const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
      const segment: Segment = Array.isArray(at) ? Number(name) : name;
      at = (at as Record<Segment, Json> | undefined)?.[segment];
      return segment;
    });
}

const article = (type: string): string => (/^[aeio]/.test(type) ? `an ${type}` : type === "null" ? type : `a ${type}`);
const typeNames = (types: string | readonly string[]): string => [types].flat().map(article).join(" or ");
const count = (limit: number, noun: string): string => `${limit} ${noun}${limit === 1 ? "" : "s"}`;

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return article(typeof value);
}
