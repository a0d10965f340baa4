import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, messageOf, type Segment, SluiceError } from "../errors/index.ts";
import { isObject } from "../record/json.ts";
import { canonical } from "./canonical.ts";
import { emitHole, emitTemplate } from "./emit-rules.ts";
import { Emitter } from "./emitter.ts";
import * as helpers from "./helpers.ts";
import { parseTemplate, type Template } from "./template.ts";

/** A request whose texts are templates, compiled. */
export interface Request {
  /** Equal for two records where, and only where, what is rendered for them is. Cheaper than rendering. */
  key(record: JsonObject): string;
  render(record: JsonObject): Json;
}

/** A request as parsed: its texts have been read, and the rest is as it was given. */
export type ParsedRequest =
  | { readonly kind: "text"; readonly template: Template; readonly escaped?: true }
  | { readonly kind: "array"; readonly items: readonly ParsedRequest[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, ParsedRequest])[] }
  | { readonly kind: "value"; readonly value: Json };

/** Throws a SluiceError (VALIDATION_ERROR) with all templates that are none, by paths relative to the request. */
export function parseRequest(request: Json): ParsedRequest {
  const errors: FieldError[] = [];
  const parsed = parse(request, [], errors);
  const [first] = errors;
  if (first === undefined) return parsed;
  const message = first.path === "" ? first.message : `${first.path}: ${first.message}`;
  throw new SluiceError("VALIDATION_ERROR", message, errors);
}

function parse(value: Json, at: readonly Segment[], errors: FieldError[]): ParsedRequest {
  if (typeof value === "string") {
    try {
      return { kind: "text", template: parseTemplate(value) };
    } catch (error) {
      errors.push({ path: formatPath(at), message: messageOf(error) });
      return { kind: "value", value };
    }
  }
  if (Array.isArray(value)) {
    return { kind: "array", items: value.map((item, index) => parse(item, [...at, index], errors)) };
  }
  if (!isObject(value)) return { kind: "value", value };
  const members = Object.entries(value).map(
    ([name, member]) => [name, parse(member as Json, [...at, name], errors)] as const,
  );
  return { kind: "object", members };
}

/**
 * Resolves the references in what the configuration says, before a record is seen: no record can name a secret, and no
 * secret is read as a template.
 */
export async function resolveRequest(
  request: ParsedRequest,
  resolve: (text: string) => Promise<string>,
): Promise<ParsedRequest> {
  switch (request.kind) {
    case "text": {
      const parts = request.template.map(async (part) => {
        if (typeof part === "string") return resolve(part);
        const filters = part.filters.map(async (filter) =>
          filter.name === "default" ? { ...filter, text: await resolve(filter.text) } : filter,
        );
        return { ...part, filters: await Promise.all(filters) };
      });
      return { kind: "text", template: await Promise.all(parts) };
    }
    case "array":
      return { kind: "array", items: await Promise.all(request.items.map((item) => resolveRequest(item, resolve))) };
    case "object": {
      const members = request.members.map(
        async ([name, member]) => [name, await resolveRequest(member, resolve)] as const,
      );
      return { kind: "object", members: await Promise.all(members) };
    }
    case "value":
      return request;
  }
}

/**
 * Compiles a request to generated code. A text that is one hole and nothing else gives the value itself, so that a
 * number stays one, and null where it finds nothing; any other text is a template as in a mapping. In the members named
 * by `escaped`, which are texts of a URL, what fills a hole is percent-encoded: it stays within its place.
 */
export function compileRequest(parsed: ParsedRequest, escaped: readonly string[] = []): Request {
  const request = escaped.length === 0 ? parsed : withEscaped(parsed, escaped);
  const emitter = new Emitter();
  const texts: string[] = [];
  emitter.function("render", "r", `return ${emitRequest(emitter, request, texts)};`);
  // What does not change with the record tells no two of them apart.
  const parts = texts.map((name) => `keyOf(${name}(r))`);
  emitter.function("key", "r", `return ${parts.length === 0 ? '""' : parts.join(' + "," + ')};`);
  return emitter.build<Request>("{ key, render }", { ...helpers, keyOf: canonical, percentEncoded });
}

function withEscaped(request: ParsedRequest, names: readonly string[]): ParsedRequest {
  if (request.kind !== "object") return request;
  const members = request.members.map(
    ([name, member]) =>
      [name, member.kind === "text" && names.includes(name) ? { ...member, escaped: true as const } : member] as const,
  );
  return { kind: "object", members };
}

function percentEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** An expression; the functions of the texts that depend on the record are added to `texts`. */
function emitRequest(emitter: Emitter, request: ParsedRequest, texts: string[]): string {
  switch (request.kind) {
    case "text": {
      const { template, escaped = false } = request;
      if (template.every((part) => typeof part === "string")) return JSON.stringify(template.join(""));
      const name = emitter.name("text");
      texts.push(name);
      const [only] = template;
      const isHole = template.length === 1 && typeof only === "object" && !escaped;
      const around = escaped ? "percentEncoded" : "";
      const value = isHole ? `${emitHole(emitter, only)} ?? null` : emitTemplate(emitter, template, around);
      emitter.function(name, "r", `return ${value};`);
      return `${name}(r)`;
    }
    case "array":
      return `[${request.items.map((item) => emitRequest(emitter, item, texts)).join(", ")}]`;
    case "object": {
      // Computed names: written plainly, __proto__ would be no member.
      const members = request.members.map(
        ([name, member]) => `[${JSON.stringify(name)}]: ${emitRequest(emitter, member, texts)}`,
      );
      return `{ ${members.join(", ")} }`;
    }
    case "value":
      return typeof request.value === "object" && request.value !== null
        ? emitter.constant(request.value)
        : JSON.stringify(request.value);
  }
}
