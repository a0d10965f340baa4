import { jsonLanguage } from "@codemirror/lang-json";
import type { FieldError } from "../../api/problem.ts";
import { parseExact } from "../../lib/exact-json.ts";

/*
 * An integration as the text that people edit, and places in that text.
 */

type Config = Readonly<Record<string, unknown>>;

/** What the server alone decides: a PUT passes it over, so it is not there to be edited. */
const state: ReadonlySet<string> = new Set([
  "id",
  "version",
  "status",
  "health",
  "health_reason",
  "circuits",
  "durability",
  "created_at",
  "created_by",
  "updated_at",
  "next_fire_at",
  "next_fires",
]);

/** In the order in which the contract names them; what is not named here follows. */
const first = [
  "name",
  "enabled",
  "source",
  "sources",
  "trigger",
  "mapping_spec",
  "pipeline_spec",
  "destination",
  "destinations",
  "delivery",
  "schema",
  "metadata",
];

/** Of an integration, or of one of its versions: the same text for the same configuration. */
export function configText(resource: Config): string {
  const names = Object.keys(resource).filter((name) => !state.has(name));
  const rank = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  names.sort((a, b) => rank(a) - rank(b));
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, resource[name]])), null, 2);
}

/**
 * The text of an integration that was read from a file: by itself, or among `integrations` the one with the name of
 * `former`, or the only one.
 */
export function configInFile(value: object, former: string): string | null {
  if (Array.isArray(value)) return null;
  const known = parseConfig(former);
  const name = "value" in known ? known.value.name : undefined;
  const { integrations } = value as { integrations?: unknown };
  if (!Array.isArray(integrations)) return configText(value as Config);
  const named = integrations.find((each) => each?.name === name);
  const found: unknown = named ?? (integrations.length === 1 ? integrations[0] : null);
  return typeof found === "object" && found !== null ? configText(found as Config) : null;
}

export interface Place {
  readonly from: number;
  readonly to: number;
}

/**
 * Where a field path such as `pipeline_spec.steps[0].where` stands in a JSON text. Of a path that is not there, the
 * nearest place above it.
 */
export function placeOf(text: string, path: string): Place {
  const tree = jsonLanguage.parser.parse(text);
  let node = tree.topNode.firstChild;
  let name: Place | null = null;
  for (const segment of segmentsOf(path)) {
    if (node === null) break;
    if (node.name === "Object") {
      const property = node
        .getChildren("Property")
        .find(({ firstChild: key }) => key !== null && nameOf(text.slice(key.from, key.to)) === segment);
      if (property?.firstChild == null) break;
      name = { from: property.firstChild.from, to: property.firstChild.to };
      node = property.lastChild;
    } else if (node.name === "Array") {
      const items = [];
      for (let item = node.firstChild; item !== null; item = item.nextSibling) {
        if (/^[A-Z]/.test(item.name)) items.push(item);
      }
      const found = items[Number(segment)];
      if (found === undefined) break;
      name = null;
      node = found;
    } else break;
  }
  if (name !== null) return name;
  if (node === null) return { from: 0, to: Math.min(1, text.length) };
  return { from: node.from, to: node.name === "Object" || node.name === "Array" ? node.from + 1 : node.to };
}

function nameOf(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted;
  }
}

/** Of `a.b[0]["odd key"]`. */
function segmentsOf(path: string): string[] {
  return [...path.matchAll(/\[("(?:[^"\\]|\\.)*"|\d+)\]|[^.[\]]+/g)].map(([whole, inner]) =>
    inner === undefined ? whole : inner.startsWith('"') ? nameOf(inner) : inner,
  );
}

export interface Finding extends Place {
  readonly message: string;
}

/** What is wrong with a text, at its places: that it is no JSON, else what the server said of it. */
export function findings(text: string, errors: readonly FieldError[]): Finding[] {
  return errors.map(({ path, message }) => ({
    ...placeOf(text, path),
    message: path === "" ? message : `${path} ${message}`,
  }));
}

/** The object that a text is, or the sentence why it is none. */
export function parseConfig(text: string): { readonly value: Config } | { readonly error: string } {
  try {
    const value = parseExact(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { value: value as Config };
    return { error: "The configuration is one JSON object." };
  } catch (error) {
    return { error: `This is no JSON yet: ${(error as Error).message}` };
  }
}
