import type { DescMessage } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { Part } from "../../runtime/config/index.ts";
import { integrationBody } from "../rest/resource-schemas.ts";
import type { Route } from "../rest/route.ts";
import { routes } from "../rest/routes.ts";
import { unaryMethods } from "./methods.ts";
import { controlService, isWellKnown } from "./schema.ts";

const configuration = Object.keys(integrationBody.properties as object);
/** What stands as a whole in one field, and what no list of theirs has a second page of. */
const elsewhere = {
  Integration: configuration,
  IntegrationVersion: configuration,
  ListConnectorTypesResponse: ["next_cursor"],
  ListFiresResponse: ["next_cursor"],
  ListNodesResponse: ["next_cursor"],
} as Readonly<Record<string, readonly string[]>>;
const wholeBodies = ["createIntegration", "replaceIntegration", "applyConfiguration", "invokeIntegration"];

const withoutSuffix = (name: string) => name.replace(/_json$/, "");

/** Paths of what a schema has and its message has not. */
function missing(where: string, schema: Part, message: DescMessage): string[] {
  return Object.entries((schema.properties ?? {}) as Record<string, Part>).flatMap(([name, part]) => {
    const field = message.fields.find((field) => withoutSuffix(field.name) === name);
    if (field === undefined) return elsewhere[message.name]?.includes(name) ? [] : [`${where}.${name}`];
    const inner = field.message;
    if (!inner || isWellKnown(inner)) return [];
    const item = field.fieldKind === "list" ? part.items : field.fieldKind === "map" ? part.additionalProperties : part;
    const { anyOf } = item as { readonly anyOf?: readonly Part[] };
    return missing(`${where}.${name}`, anyOf?.find(({ properties }) => properties) ?? (item as Part), inner);
  });
}

const asked = ({ path, query = {}, body }: Route): string[] => [
  ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string),
  ...Object.keys(query),
  ...Object.entries((body?.properties ?? {}) as Record<string, Part>).flatMap(([name, { readOnly }]) =>
    readOnly ? [] : [name],
  ),
];

test("every call of the REST API is one by gRPC, which takes and gives the same", () => {
  const streams = controlService.methods.filter(({ methodKind }) => methodKind !== "unary");
  const served = [
    ...unaryMethods().map(({ route }) => route.operationId),
    ...streams.map(({ localName }) => localName),
  ];
  expect(routes.map(({ operationId }) => operationId).filter((id) => !served.includes(id))).toEqual([]);
  for (const { method, route } of unaryMethods()) {
    const { input, output, name } = method;
    const taken = input.fields.map((field) => withoutSuffix(field.name));
    const wanted = wholeBodies.includes(route.operationId) ? asked({ ...route, body: {} }) : asked(route);
    expect([name, wanted.filter((field) => !taken.includes(field))]).toEqual([name, []]);
    const changes = route.versioned && route.method !== "GET" && route.method !== "POST";
    expect([name, taken.includes("etag")]).toEqual([name, changes === true]);
    expect(missing(name, route.answer.schema ?? {}, output)).toEqual([]);
  }
});
