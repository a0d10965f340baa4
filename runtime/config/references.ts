import type { Json, JsonObject } from "../../connectors/sdk/index.ts";

export type ReferenceScheme = "env" | "file" | "vault";

/** Looks a reference up: `${env:NAME}` is asked for as ("env", "NAME"). Throws SluiceError VALIDATION_ERROR naming it. */
export type ResolveReference = (scheme: ReferenceScheme, argument: string) => Promise<string>;

/** A reference, and what it stood for. */
export interface ResolvedReference {
  readonly scheme: ReferenceScheme;
  readonly argument: string;
  readonly value: string;
}

/** `$${` stands for `${`; anything else in braces that begins with no known scheme is text. */
const pattern = /\$\$\{|\$\{(env|file|vault):([^}]*)\}/g;

const allowed = String.raw`\$\{(?:env:SLUICE_SECRET_[A-Za-z0-9_]+|file:(?![/\\]|(?:[^}]*[/\\])?\.\.[/\\}])[^}]+|vault:[^}#]+#[^}]+)\}`;

/** For schemas, which can ask nothing but patterns: a text with a reference that `checkReferences` takes. */
export const reference = new RegExp(String.raw`(?<!\$)${allowed}`, "u");

const whole = new RegExp(`^${allowed}$`, "u");

/** A text with a reference that `checkReferences` refuses. */
export const badReference = new RegExp(String.raw`(?<!\$)(?!${allowed})\$\{(?:env|file|vault):[^}]*\}`, "u");

/** Whether a text holds a reference. */
export function hasReference(text: string): boolean {
  return text.matchAll(pattern).some((match) => match[1] !== undefined);
}

/** Whether a value is a reference, and nothing else. */
export function isReference(value: Json): boolean {
  return typeof value === "string" && whole.test(value);
}

/** What is wrong with the references in a text, in one sentence, without looking them up; undefined when nothing is. */
export function checkReferences(text: string): string | undefined {
  for (const [reference, scheme, argument] of text.matchAll(pattern)) {
    if (scheme === "env" && !/^SLUICE_SECRET_[A-Za-z0-9_]+$/.test(argument!)) {
      return `${reference} is refused: only environment variables that begin with SLUICE_SECRET_ can be named`;
    }
    if (scheme === "file" && (argument === "" || /^[/\\]|(^|[/\\])\.\.([/\\]|$)/.test(argument!))) {
      return `${reference} is refused: only files below the data folder's secrets/ can be named, relative to it`;
    }
    if (scheme === "vault" && !/^[^#]+#./.test(argument!)) {
      return `${reference} is refused: it takes a path and a key, \${vault:PATH#KEY}`;
    }
  }
  return undefined;
}

/** The value with every reference in its strings replaced, at any depth. */
export async function resolveReferences(value: Json, resolve: ResolveReference): Promise<Json> {
  if (typeof value === "string") return resolveText(value, resolve);
  if (Array.isArray(value)) return Promise.all(value.map((item) => resolveReferences(item, resolve)));
  if (typeof value !== "object" || value === null || JSON.isRawJSON(value)) return value;
  const entries = Object.entries(value).map(async ([name, item]) => [name, await resolveReferences(item, resolve)]);
  return Object.fromEntries(await Promise.all(entries)) as JsonObject;
}

async function resolveText(text: string, resolve: ResolveReference): Promise<string> {
  let resolved = "";
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    resolved += text.slice(end, match.index);
    resolved += match[1] === undefined ? "${" : await resolve(match[1] as ReferenceScheme, match[2]!);
    end = match.index + match[0].length;
  }
  return resolved + text.slice(end);
}
