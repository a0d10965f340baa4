import { randomUUIDv7 } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Validate } from "../../runtime/ports/connectors.ts";
import { timeAt } from "../services/context.ts";
import type { IfMatch } from "../services/index.ts";
import type { RouteRequest } from "./route.ts";

export const paging: Record<string, Part> = {
  limit: { type: "integer", minimum: 1, maximum: 1_000, default: 50, description: "Most items of a page." },
  cursor: { type: "string", minLength: 1, description: "`next_cursor` of the page before." },
};

/** Fields that a list is sorted by, `-` for downwards; the first one where nothing is said. */
export const sortBy = <S extends string>(...fields: readonly [S, ...S[]]): { readonly sort: Part } => ({
  sort: { enum: fields, default: fields[0], description: "By which field, - for downwards." },
});

/** What has a name is found and sorted by. */
export const ofNamed = {
  name: { type: "string", minLength: 1, description: "Only the one of this name." },
  search: { type: "string", minLength: 1, description: "Only those whose name has this in it, in any case." },
  ...sortBy("-created_at", "created_at", "name", "-name", "-updated_at", "updated_at"),
} satisfies Record<string, Part>;

const time: Part = { type: "string", format: "date-time" };

/** Only what was at this time or later, or earlier. */
export const between = (what: string): Record<string, Part> => ({
  since: { ...time, description: `Only those that ${what} at this time or later.` },
  until: { ...time, description: `Only those that ${what} at this time or earlier.` },
});

export const page = ({ query }: RouteRequest) => ({
  limit: query.limit as number,
  cursor: (query.cursor ?? null) as string | null,
});
export const text = ({ query }: RouteRequest, name: string) => (query[name] ?? null) as string | null;
export const date = (request: RouteRequest, name: string) => {
  const given = text(request, name);
  return given === null ? null : timeAt(name, given);
};
/** One of those that `sortBy` has. */
export const sort = <S extends string>({ query }: RouteRequest) => query.sort as S;
export const flag = ({ query }: RouteRequest, name: string) => (query[name] ?? null) as boolean | null;
export const id = ({ params }: RouteRequest) => params.id!;

const entityTag = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
export const ifMatchPattern = String.raw`^\s*(?:\*|${entityTag}(?:\s*,\s*${entityTag})*)\s*$`;

/** RFC 9110, section 13.1.1. A tag that was never ours fits no version. */
export function ifMatchOf(header: string | undefined): IfMatch {
  if (header === undefined || header.trim() === "*") return null;
  if (!new RegExp(ifMatchPattern).test(header)) {
    throw new SluiceError("VALIDATION_ERROR", 'If-Match is a list of entity tags, such as "3", or *');
  }
  return [...header.matchAll(new RegExp(entityTag, "g"))].map(([tag]) => Number(/^"(\d{1,9})"$/.exec(tag)?.[1] ?? -1));
}

export const ok = (description: string, schema: Part) => ({ status: 200, description, schema });

/** A query checked, with defaults. */
export function completeQuery(
  query: Readonly<Record<string, Json>>,
  schemas: Readonly<Record<string, Part>>,
  check: Validate,
): Record<string, Json> {
  const errors = check(query);
  if (errors.length > 0) {
    const [{ path, message }] = errors as [(typeof errors)[number]];
    throw new SluiceError("VALIDATION_ERROR", `${path}: ${message}`, errors);
  }
  const defaults = Object.entries(schemas).flatMap(([name, schema]) =>
    schema.default === undefined ? [] : [[name, schema.default]],
  );
  return { ...(Object.fromEntries(defaults) as Record<string, Json>), ...query };
}

/** The caller's own id where it is one that can be logged and searched for, else a new one. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[\w.:/+=@-]{1,128}$/.test(given) ? given : randomUUIDv7();
}

/** RFC 9112, section 3.2: of several, a proxy may have meant another one. HTTP/1.0 needs none. */
export function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === "1.0");
}
