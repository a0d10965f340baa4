import type { DescMethod } from "@bufbuild/protobuf";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Validate, Validator } from "../../runtime/ports/connectors.ts";
import { completeQuery, ifMatchOf } from "../rest/requests.ts";
import { integrationReplacement, writable } from "../rest/resource-schemas.ts";
import type { Route, RouteRequest } from "../rest/route.ts";
import { routes } from "../rest/routes.ts";
import { controlService } from "./schema.ts";

/** A call with one answer, served by the REST route of the same name. */
export interface UnaryMethod {
  readonly method: DescMethod;
  readonly route: Route;
}

/** Throws where the .proto file and the routes do not fit: neither is served without the other. */
export function unaryMethods(): UnaryMethod[] {
  const byName = new Map(routes.map((route) => [route.operationId, route]));
  return controlService.methods
    .filter(({ methodKind }) => methodKind === "unary")
    .map((method) => {
      const route = byName.get(method.localName);
      if (route === undefined) throw new Error(`no route serves ${method.name}`);
      return { method, route };
    });
}

/** The fields of requests that hold a body as a whole. */
const bodies: { readonly [operationId: string]: string } = {
  createIntegration: "spec",
  replaceIntegration: "spec",
  applyConfiguration: "configuration",
  invokeIntegration: "record",
};

type Asked = Pick<RouteRequest, "params" | "query" | "body" | "ifMatch">;

/** Makes of a request's fields what a route is asked with. */
export function readerOf(route: Route, validator: Validator): (fields: JsonObject) => Asked {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const schemas = route.query ?? {};
  const check: Validate = validator.compile({ type: "object", properties: schemas, additionalProperties: false });
  return (fields) => {
    const params: Record<string, string> = {};
    const query: JsonObject = {};
    const rest: JsonObject = {};
    for (const [name, value] of Object.entries(fields)) {
      if (names.includes(name)) params[name] = value as string;
      else if (Object.hasOwn(schemas, name)) query[name] = value as JsonObject;
      else if (name !== "etag") rest[name] = value as JsonObject;
    }
    for (const name of names) {
      if (params[name] !== undefined) continue;
      throw new SluiceError("VALIDATION_ERROR", `${name}: is required`, [{ path: name, message: "is required" }]);
    }
    const whole = bodies[route.operationId];
    // A record that is left out is none, where a configuration without fields is told which it lacks.
    const body = whole === undefined ? rest : (rest[whole] ?? (whole === "record" ? null : {}));
    const etag = fields.etag as string | undefined;
    return {
      params,
      query: completeQuery(query, schemas, check),
      body: route.body === undefined ? null : body,
      ifMatch: ifMatchOf(etag !== undefined && /^\d+$/.test(etag) ? `"${etag}"` : etag),
    };
  };
}

/** What an integration is, apart from what the server says of it. */
const withSpec = (resource: JsonObject): JsonObject => ({
  ...resource,
  spec: writable(resource, integrationReplacement),
});

/** What an integration was in a version. */
function withSpecOf({ version, created_at, created_by, ...spec }: JsonObject): JsonObject {
  return { version, created_at, created_by, name: spec.name, enabled: spec.enabled, spec } as JsonObject;
}

/** A route's answer as its message has it. */
export function answerOf({ method, route }: UnaryMethod, resource: object | undefined): JsonObject {
  const { items, ...answer } = (resource ?? {}) as { readonly items?: JsonObject[] } & JsonObject;
  if (method.output.name === "Integration") return withSpec(answer);
  if (route.operationId === "getIntegrationVersion") return withSpecOf(answer);
  if (items === undefined) return answer;
  return { ...answer, items: route.operationId === "listIntegrations" ? items.map(withSpec) : items };
}
