import { createHash } from "node:crypto";

/** As much of OpenAPI 3.1 as the page shows. */
interface Description {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly responses: { readonly [status: string]: { readonly description: string } } };
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly "x-scopes"?: readonly string[];
  readonly parameters?: readonly (Schema & { readonly name: string; readonly in: string; readonly schema: Schema })[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: {
    readonly [status: string]: { readonly $ref?: string; readonly description?: string; readonly content?: Content };
  };
}

type Content = { readonly [type: string]: { readonly schema?: Schema } };

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly required?: readonly string[] | boolean;
  readonly properties?: { readonly [name: string]: Schema };
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly [keyword: string]: unknown;
}

const style = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #3a3a3a); --soft: light-dark(#555, #aaa); --code: light-dark(#f4f4f4, #222); --link: light-dark(#0b57a4, #7ab8ff) }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: light-dark(#fff, #161616); color: light-dark(#1a1a1a, #e8e8e8) }
a { color: var(--link) }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
header, main { max-width: 64rem; margin: 0 auto; padding: 1rem }
nav { position: sticky; top: 0; padding: .5rem 0; background: light-dark(#fff, #161616); border-bottom: 1px solid var(--line) }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: .5rem 0 0; padding: 0 }
input { width: 100%; font: inherit; padding: .4rem .6rem; border: 1px solid var(--soft); border-radius: 4px; background: inherit; color: inherit }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize }
h4 { margin: 1rem 0 .25rem }
section > details { border: 1px solid var(--line); border-radius: 4px; margin: .4rem 0 }
section > details > summary { padding: .5rem .75rem; cursor: pointer; overflow-wrap: anywhere }
section > details > div { padding: 0 .75rem .75rem }
summary b { display: inline-block; min-width: 4.75rem }
small, .soft { color: var(--soft); font-size: .875rem }
code { font: .875em ui-monospace, monospace; background: var(--code); padding: .1em .25em; border-radius: 3px; overflow-wrap: anywhere }
ul.fields { margin: .25rem 0; padding-left: 1.25rem }
.none { display: none }
@media print { nav { display: none } }
`;

/** Finds operations by words, opens the one that the address names; "/" leads to the field. */
const script = `
const find = document.getElementById("find"), found = document.getElementById("found");
const operations = [...document.querySelectorAll("section > details")].map((e) => [e, e.dataset.words.toLowerCase()]);
function look() {
  const words = find.value.toLowerCase().split(/\\s+/);
  let n = 0;
  for (const [e, text] of operations) n += !e.classList.toggle("none", !words.every((w) => text.includes(w)));
  for (const s of document.querySelectorAll("section")) s.classList.toggle("none", !s.querySelector("details:not(.none)"));
  found.textContent = n + " of " + operations.length + " calls";
}
function open() {
  const e = document.getElementById(location.hash.slice(1));
  if (e && e.tagName === "DETAILS") e.open = true;
}
find.addEventListener("input", look);
addEventListener("hashchange", open);
addEventListener("keydown", (e) => {
  if (e.key === "/" && e.target !== find) { e.preventDefault(); find.focus(); }
  if (e.key === "Escape" && e.target === find) { find.value = ""; look(); }
});
look();
open();
`;

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What the page may do: show its own style and run its own script, and ask no server for anything. */
export const docsPolicy = [
  "default-src 'none'",
  `style-src ${hash(style)}`,
  `script-src ${hash(script)}`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The OpenAPI as one page that needs nothing else. */
export function docsPage(given: object): string {
  const { info, paths, components } = given as Description;
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? "other";
      byTag.set(tag, [...(byTag.get(tag) ?? []), shown(method.toUpperCase(), path, operation, components)]);
    }
  }
  const tags = [...byTag];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)} API</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(info.title)} API <small>${escaped(info.version)}</small></h1>
<p>${prose(info.description)} Every call carries <code>Authorization: Bearer TOKEN</code>. Errors are problem documents
(RFC 9457) with <code>code</code>, <code>detail</code>, <code>errors</code> and <code>request_id</code>. The same as OpenAPI 3.1, with a token:
<code>/openapi.json</code>.</p>
</header>
<main>
<nav aria-label="Parts of the API">
<label for="find" class="soft">Find calls (press <kbd>/</kbd>)</label>
<input id="find" type="search" autocomplete="off" spellcheck="false">
<output id="found" for="find" class="soft"></output>
<ul>${tags.map(([tag]) => `<li><a href="#${idOf(tag)}">${escaped(tag)}</a></li>`).join("")}</ul>
</nav>
${tags.map(([tag, operations]) => `<section id="${idOf(tag)}"><h2>${escaped(tag)}</h2>${operations.join("")}</section>`).join("\n")}
</main>
<script>${script}</script>
</body>
</html>
`;
}

function shown(method: string, path: string, operation: Operation, { responses }: Description["components"]): string {
  const { operationId, summary, description, parameters = [], requestBody } = operation;
  const scopes = operation["x-scopes"] ?? [];
  const parts = [
    description === undefined ? "" : `<p>${prose(description)}</p>`,
    scopes.length > 0
      ? `<p class="soft">Wants ${scopes.map((each) => `<code>${escaped(each)}</code>`).join(" ")}</p>`
      : "",
    parameters.length > 0 ? `<h4>Parameters</h4><ul class="fields">${parameters.map(parameter).join("")}</ul>` : "",
    requestBody === undefined
      ? ""
      : `<h4>Body${requestBody.required ? "" : ", may be left out"}</h4>${body(requestBody.content)}`,
    '<h4>Answers</h4><ul class="fields">',
    ...Object.entries(operation.responses).map(([status, { $ref, description, content = {} }]) => {
      const text = description ?? responses[$ref?.split("/").at(-1) ?? ""]?.description ?? "";
      return `<li><b>${escaped(status)}</b> ${prose(text)}${body(content)}</li>`;
    }),
    "</ul>",
  ];
  const words = escaped(`${method} ${path} ${summary} ${operationId} ${scopes.join(" ")}`);
  return `<details id="${idOf(operationId)}" data-words="${words}"><summary><b>${method}</b> <code>${escaped(path)}</code> <span>${prose(summary)}</span></summary><div>${parts.join("")}</div></details>\n`;
}

const parameter = ({ name, in: place, required, description, schema }: NonNullable<Operation["parameters"]>[number]) =>
  field(name, { ...schema, description: description ?? schema.description ?? "" }, required === true, 0, `in ${place}`);

const body = (content: Content): string =>
  Object.entries(content)
    .map(
      ([type, { schema }]) =>
        `<div><small>${escaped(type)}</small>${schema === undefined ? "" : fields(schema, 0)}</div>`,
    )
    .join("");

/** What deeper levels hold stands in the reference of the configuration. */
const deepest = 3;

/** A schema's fields, those of a list's items, or of each of its alternatives. */
function fields(schema: Schema, depth: number): string {
  const inner = schema.items ?? schema;
  const { properties, required } = inner;
  const alternatives = inner.oneOf ?? inner.anyOf ?? [];
  if (depth > deepest) return "";
  if (properties === undefined) {
    const shown = alternatives.map((each) => fields(each, depth)).filter((text) => text !== "");
    return shown.join(depth === 0 ? "<p>or</p>" : "");
  }
  const needed = Array.isArray(required) ? required : [];
  const all = Object.entries(properties).map(([name, each]) => field(name, each, needed.includes(name), depth));
  return `<ul class="fields">${all.join("")}</ul>`;
}

function field(name: string, schema: Schema, isNeeded: boolean, depth: number, place = ""): string {
  const facts = [typeOf(schema), isNeeded ? "required" : "", place, ...limits(schema)].filter((fact) => fact !== "");
  const inner = fields(schema, depth + 1);
  const head = `<code>${escaped(name)}</code> <small>${facts.map(escaped).join(", ")}</small> ${prose(schema.description ?? "")}`;
  return inner === "" ? `<li>${head}</li>` : `<li><details><summary>${head}</summary>${inner}</details></li>`;
}

function typeOf({ type, items, enum: choices, const: only, $ref, oneOf, anyOf }: Schema): string {
  if (choices !== undefined) return choices.map(text).join(" | ");
  if (only !== undefined) return text(only);
  if ($ref !== undefined) return $ref.split("/").at(-1)!;
  if (type !== undefined) {
    const all = [type]
      .flat()
      .map((each) => (each === "array" && items ? `list of ${typeOf(items) || "anything"}` : each));
    return all.join(" or ");
  }
  return [...new Set((oneOf ?? anyOf ?? []).map(typeOf))].join(" or ");
}

const shownLimits = ["format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default"];
const limits = (schema: Schema): string[] =>
  shownLimits.filter((name) => schema[name] !== undefined).map((name) => `${name} ${text(schema[name])}`);

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
const idOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9]+/g, "-");
/** A sentence with `names` in it. */
const prose = (sentence: string): string => escaped(sentence).replaceAll(/`([^`]+)`/g, "<code>$1</code>");

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (given: string): string => given.replaceAll(/[&<>"']/g, (character) => entities[character]!);
