import { prometheusMetrics } from "../../adapters/telemetry/index.ts";
import { variables } from "../../cli/variables.ts";
import type { ConnectorType, JsonSchema } from "../../connectors/sdk/index.ts";
import { configSchema, connectorSchema } from "../../runtime/config/config-schema.ts";
import { deliverySchema } from "../../runtime/config/delivery-schema.ts";
import {
  destinationSchema,
  integrationSchema,
  sourceSchema,
  triggerSchema,
} from "../../runtime/config/integration-schema.ts";
import { duration, id, name, type Part } from "../../runtime/config/schema-parts.ts";
import { ruleSchema, stepSchema } from "../../runtime/config/step-schema.ts";
import { codes } from "../../runtime/errors/index.ts";
import { castNames } from "../../runtime/mapping/cast.ts";
import { functions } from "../../runtime/mapping/jsonpath/parse.ts";
import { filters } from "../../runtime/mapping/template.ts";
import { castCases } from "../../runtime/mapping/testing/cast-cases.ts";
import { fieldTable, type Sections } from "./fields.ts";
import { anchor, code, section, table } from "./markdown.ts";

const sections: Sections = new Map<JsonSchema, string>([
  [connectorSchema, "Connector"],
  [integrationSchema, "Integration"],
  [sourceSchema, "Source"],
  [destinationSchema, "Destination"],
  [triggerSchema, "Trigger"],
  [deliverySchema, "Delivery"],
  [stepSchema, "Steps"],
  [ruleSchema, "Rules"],
]);

/** Everything that the definitions say, as a page of Markdown. */
export async function referencePage(types: readonly ConnectorType[]): Promise<string> {
  const body = [
    section(2, "Configuration file", said(configSchema), fieldTable(configSchema, sections)),
    section(2, "Connector", said(connectorSchema), connectorFields(types)),
    section(2, "Integration", said(integrationSchema), fieldTable(integrationSchema, sections)),
    section(2, "Source", said(sourceSchema), fieldTable(sourceSchema, sections)),
    section(2, "Destination", said(destinationSchema), fieldTable(destinationSchema, sections)),
    section(2, "Trigger", said(triggerSchema), ...branches(triggerSchema, [], ["type"])),
    section(2, "Steps", said(stepSchema), ...steps()),
    section(2, "Rules", said(ruleSchema), fieldTable(ruleSchema, sections)),
    section(2, "Casts", castText, ...castNames.map(castSection)),
    section(
      2,
      "Templates",
      "Filters of a hole:\n",
      table(
        ["Filter", "Gives"],
        Object.entries(filters).map(([name, gives]) => [code(name), gives]),
      ),
    ),
    section(2, "Predicates", predicateText, functionTable()),
    section(2, "Delivery", said(deliverySchema), fieldTable(deliverySchema, sections)),
    section(2, "Connector types", ...types.map(connectorSection)),
    section(2, "Environment", environmentText, ...Object.keys(variables).map(variableSection)),
    section(2, "Error codes", codeText, codeTable()),
    section(2, "Metrics", "What each tells of, and when it is bad: [metrics.md](metrics.md).\n", await metricTable()),
  ];
  const titles = body.map((text) => text.slice("## ".length, text.indexOf("\n")));
  const contents = titles.map((title) => `[${title}](${anchor(title)})`).join(" · ");
  return `${section(1, "Reference", intro, forms, `${contents}\n`)}\n${body.join("\n")}`;
}

/** Forms of text that types are named after. */
const forms = [name, id, duration].map((form) => `- ${form("").$comment}\n`).join("");
const intro =
  "Every field with its type, default and meaning. How it all works together: [configuration.md](configuration.md), " +
  "[mapping.md](mapping.md). The same as a JSON Schema for editors: [sluice.schema.json](schema/sluice.schema.json), " +
  "also printed by `sluice schema`. Among the types are\n";
const castText =
  "Values and results as JSON. A refused value fails the rule, which then does what its `on_error` says.\n";
const predicateText =
  "An RFC 9535 logical expression over the record, `$` or `@`: `$.status == 'active' && $.amount > 10`; " +
  'or `{ "js": "record.amount > 10" }`, a JavaScript expression over `record` and `meta`. Functions:\n';
const codeText =
  "What a failed call says of itself. Fault: of the **record**, which becomes a dead letter; **transient**, and the " +
  "call is made again as `delivery.retry` says; of the **destination**, which is waited for.\n";

const environmentText =
  "What a node and the command line read from the environment; an empty text counts as not set.\n";

const said = ({ description }: Part): string => `${description}\n`;

function connectorFields(types: readonly ConnectorType[]): string {
  const known = types.map(({ type }) => `[${type}](${anchor(type)})`).join(", ");
  return `${fieldTable(connectorSchema)}\nTypes: ${known}.\n`;
}

interface Branch extends Part {
  readonly description: string;
  readonly properties: Record<string, Part>;
}

/** A section for each branch of a choice by type, with the fields that are its own. */
function branches(schema: Part, missing: readonly string[], shared: readonly string[]): string[] {
  return (schema.oneOf as readonly Branch[]).map((branch) => {
    const type = branch.properties.type!.const as string;
    const note = missing.includes(type) ? "Not available in this version.\n" : "";
    return section(3, type, said(branch), note, fieldTable(branch, sections, shared));
  });
}

function steps(): string[] {
  const [first, ...others] = stepSchema.oneOf as readonly Branch[];
  const isShared = ([name, part]: [string, Part]) => others.every(({ properties }) => properties[name] === part);
  const shared = Object.fromEntries(Object.entries(first!.properties).filter(isShared));
  const types = [first!, ...others].map(({ properties }) => properties.type!.const as string);
  const type = { enum: types, description: "What the step does." };
  const { id, ...options } = shared;
  const all = { properties: { id, type, ...options }, required: ["id", "type"] };
  return [fieldTable(all as Part, sections), ...branches(stepSchema, [], ["type", ...Object.keys(shared)])];
}

function variableSection(group: string): string {
  const { page, variables: own } = variables[group] as (typeof variables)[string];
  const rows = Object.entries(own).map(([name, { means, unset = "" }]) => [code(name), means, unset]);
  return section(
    3,
    group,
    `More: [${page.replace(/#.*/, "")}](${page}).\n`,
    table(["Variable", "Is", "Not set"], rows),
  );
}

/** Longer texts are shown by their beginning. */
const mostShown = 60;
const shown = (text: string): string => (text.length > mostShown ? `${code(text.slice(0, mostShown))} …` : code(text));

function castSection(name: (typeof castNames)[number]): string {
  const cases = castCases[name];
  const taken = cases.filter(([, gives]) => gives !== "refused");
  const refused = cases.filter(([, gives]) => gives === "refused").map(([value]) => shown(value));
  const rows = taken.map(([value, gives]) => [shown(value), shown(gives)]);
  return section(
    3,
    `Cast ${name}`,
    table(["Takes", "Gives"], rows),
    refused.length === 0 ? "Refuses nothing.\n" : `Refuses ${refused.join(", ")}.\n`,
  );
}

function functionTable(): string {
  const rows = Object.entries(functions).map(([name, { takes, gives }]) => [
    code(`${name}(${takes.join(", ")})`),
    gives,
  ]);
  return table(["Function", "Gives"], rows);
}

function connectorSection({ type, title, version, description, config, capabilities }: ConnectorType): string {
  const { source, destination, lookup } = capabilities;
  const modes = (what: string, end: { readonly modes: readonly string[] } | undefined): string[] =>
    end === undefined ? [] : [`${what}: ${end.modes.map(code).join(", ")}`];
  const can = [...modes("Source", source), ...modes("Destination", destination)];
  const requests = lookup === undefined ? [] : formsOf(lookup.request as Part).map((form) => fieldTable(form));
  const asked = requests.length === 0 ? [] : ["Request of a look-up:\n", requests.join("\nor\n\n")];
  const more = `${title} ${version}: [connectors/${type}.md](connectors/${type}.md).`;
  return section(3, type, `${description} ${more}\n`, `${can.join(". ")}.\n`, fieldTable(config as Part), ...asked);
}

/** The alternatives of a schema that has some. */
const formsOf = (schema: Part): readonly Part[] => (schema.oneOf ?? schema.anyOf ?? [schema]) as readonly Part[];

function codeTable(): string {
  const rows = Object.entries(codes).map(([name, { http, grpc, fault }]) => [
    code(name),
    String(http),
    code(grpc),
    fault,
  ]);
  return table(["Code", "HTTP", "gRPC", "Fault"], rows);
}

/** As a node that has done nothing yet describes its own. */
async function metricTable(): Promise<string> {
  const text = await prometheusMetrics().render();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const rows = [...text.matchAll(/^# HELP (sluice_\S+) (.*)$/gm)].map(([, name, help]) => [
    code(name!),
    types.get(name!)!,
    help!,
  ]);
  return table(["Metric", "Type", "Means"], rows);
}
