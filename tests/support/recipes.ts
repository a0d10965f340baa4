import { parse } from "yaml";
import type { JsonObject } from "../../connectors/sdk/index.ts";

/** A section of the page of recipes, taken apart. */
export interface Recipe {
  readonly title: string;
  /** The section's anchor. */
  readonly slug: string;
  /** The recipe as written where it is a list of rules, and so also a file for `sluice map`. */
  readonly rules: string | undefined;
  /** The whole integration: what the recipe shows, in the one from the head of the page. */
  readonly integration: JsonObject;
  /** What the recipe shows of its test: given, lookups, faults, expect. */
  readonly test: JsonObject;
  /** Lines of records by the source's stream; `""` where it has no name. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  /** Lines of records by destination. */
  readonly outputs: ReadonlyMap<string, readonly string[]>;
}

export interface RecipePage {
  readonly connectors: JsonObject["connectors"];
  readonly recipes: readonly Recipe[];
  /** Anchors that the page refers to within itself. */
  readonly links: ReadonlySet<string>;
}

/** A fenced block with the line above it. */
const block = /^(?:(.*)\n\n)?```(\w*)\n((?:.*\n)*?)^```$/gm;
const label = /^(In|Out)(?: `([^`]+)`)?:$/;
const partsOfTests = ["given", "lookups", "faults", "expect"];

/** Throws where a block is none that a reader, or the test, is told how to read. */
export function readRecipes(page: string): RecipePage {
  const [head = "", ...sections] = page.split(/^## /m);
  const frame = parse(/^```yaml\n(.*?)^```$/ms.exec(head)?.[1] ?? "") as {
    connectors: JsonObject[];
    integrations: JsonObject[];
  };
  return {
    connectors: frame.connectors,
    recipes: sections.map((section) => {
      const title = section.slice(0, section.indexOf("\n"));
      try {
        return readRecipe(title, section, frame.integrations[0] as JsonObject);
      } catch (error) {
        throw new Error(`The recipe "${title}" cannot be read`, { cause: error });
      }
    }),
    links: new Set(Array.from(page.matchAll(/\]\(#([^)]+)\)/g), ([, anchor]) => anchor as string)),
  };
}

function readRecipe(title: string, section: string, frame: JsonObject): Recipe {
  let rules: string | undefined;
  let fields: JsonObject = {};
  let test: JsonObject = {};
  const records = { In: new Map<string, string[]>(), Out: new Map<string, string[]>() };
  for (const [, above = "", language, text = ""] of section.matchAll(block)) {
    const [, way, name = ""] = label.exec(above) ?? [];
    const lines = records[way as keyof typeof records];
    if (language === "json" && lines && !lines.has(name)) lines.set(name, text.trim().split("\n"));
    else if (language !== "yaml" || lines) throw new Error(`a block that means nothing:\n${text}`);
    else if (text.startsWith("- ") && rules === undefined) rules = text;
    else {
      const part = parse(text) as JsonObject;
      if (Object.keys(part).every((key) => partsOfTests.includes(key))) test = { ...test, ...part };
      else fields = { ...fields, ...part };
    }
  }
  const { source, destination, ...rest } = frame;
  return {
    title,
    slug: slugOf(title),
    rules,
    integration: {
      ...rest,
      ...(!("sources" in fields) && { source }),
      ...(!("destinations" in fields) && { destination }),
      ...(rules !== undefined && { mapping_spec: parse(rules) }),
      ...fields,
      name: slugOf(title),
    } as JsonObject,
    test,
    given: records.In,
    outputs: records.Out,
  };
}

/** As GitHub makes anchors of headings. */
const slugOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
