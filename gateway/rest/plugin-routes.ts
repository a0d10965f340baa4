import { type Part, pluginSchema } from "../../runtime/config/index.ts";
import type { PluginRow } from "../../runtime/ports/plugins.ts";
import type { Services } from "../services/index.ts";
import { listResource, pluginResource } from "../services/resources.ts";
import { flag, ok, page, paging, sort, sortBy } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route, RouteRequest } from "./route.ts";

const skipChecks: Record<string, Part> = {
  skip_checks: {
    type: "boolean",
    default: false,
    description: "Take it also where it cannot be started or reached now.",
  },
};
const force: Record<string, Part> = {
  force: { type: "boolean", default: false, description: "Also where connectors are left without their type." },
};

const shown =
  ({ plugins }: Services) =>
  (row: PluginRow) =>
    pluginResource(row, plugins.state(row));
const name = ({ params }: RouteRequest) => params.name as string;
const isSet = (request: RouteRequest, query: string) => flag(request, query) === true;

/** Programs that serve connector types. */
export const pluginRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/plugins",
    operationId: "listPlugins",
    scopes: ["platform:read"],
    tag: "plugins",
    summary: "Plugins by name, each with its state on the node that answers.",
    query: { ...paging, ...sortBy("name", "-name") },
    answer: ok("A page.", schemas.listOf(schemas.plugin)),
    handle: async (request, services) =>
      listResource(await services.plugins.list({ ...page(request), sort: sort<"name">(request) }), shown(services)),
  },
  {
    method: "POST",
    path: "/v1/plugins",
    operationId: "createPlugin",
    scopes: ["platform:write"],
    versioned: true,
    tag: "plugins",
    summary: "Registers a plugin, which is started or reached first; all nodes have it within seconds.",
    query: skipChecks,
    body: pluginSchema,
    answer: { status: 201, description: "The plugin, its secrets as ***.", schema: schemas.plugin, key: "name" },
    problems: [409, 422],
    handle: async (request, services) =>
      shown(services)(await services.plugins.create(request.body, { skipChecks: isSet(request, "skip_checks") })),
  },
  {
    method: "GET",
    path: "/v1/plugins/{name}",
    operationId: "getPlugin",
    scopes: ["platform:read"],
    versioned: true,
    tag: "plugins",
    summary: "One plugin, with its state on the node that answers.",
    answer: ok("The plugin, its secrets as ***.", schemas.plugin),
    handle: async (request, services) => shown(services)(await services.plugins.get(name(request))),
  },
  {
    method: "PUT",
    path: "/v1/plugins/{name}",
    operationId: "replacePlugin",
    scopes: ["platform:write"],
    versioned: true,
    tag: "plugins",
    summary: "Upgrades a plugin: what is open goes on with the former one; *** in the place of a secret keeps it.",
    query: { ...skipChecks, ...force },
    body: schemas.pluginReplacement,
    answer: ok("The plugin, its secrets as ***.", schemas.plugin),
    problems: [409, 422],
    handle: async (request, services) => {
      const options = {
        skipChecks: isSet(request, "skip_checks"),
        force: isSet(request, "force"),
        ifMatch: request.ifMatch,
      };
      const body = schemas.writable(request.body, schemas.pluginReplacement);
      return shown(services)(await services.plugins.replace(name(request), body, options));
    },
  },
  {
    method: "DELETE",
    path: "/v1/plugins/{name}",
    operationId: "removePlugin",
    scopes: ["platform:write"],
    versioned: true,
    tag: "plugins",
    summary: "Removes a plugin whose type no connector uses.",
    query: force,
    answer: { status: 204, description: "It is removed." },
    problems: [409],
    handle: async (request, { plugins }) =>
      void (await plugins.remove(name(request), { force: isSet(request, "force"), ifMatch: request.ifMatch })),
  },
];
