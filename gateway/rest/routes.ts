import type { Json } from "../../connectors/sdk/index.ts";
import { configSchema, connectorSchema, type Part } from "../../runtime/config/index.ts";
import type { OnTimeout } from "../../runtime/ports/invoke.ts";
import type { HealthStatus, IntegrationRow, NamedSort, RunStatus, RunTrigger } from "../../runtime/ports/store.ts";
import { isObject } from "../../runtime/record/index.ts";
import { requireScopes } from "../auth/index.ts";
import { previewBody, type Services } from "../services/index.ts";
import {
  connectorResource,
  connectorTypeResource,
  deadLetterGroupResource,
  integrationResource,
  integrationVersionResource,
  listResource,
  runDetailResource,
  runResource,
  seriesResource,
} from "../services/resources.ts";
import { deadLetterRoutes } from "./dead-letter-routes.ts";
import { keyRoutes } from "./key-routes.ts";
import { liveRoutes } from "./live-routes.ts";
import { pluginRoutes } from "./plugin-routes.ts";
import { recordRoutes } from "./record-routes.ts";
import { between, date, flag, id, ofNamed, ok, page, paging, sort, sortBy, text } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route, RouteRequest } from "./route.ts";
import { secretsRoutes } from "./secrets-routes.ts";

const namedOptions = (request: RouteRequest) => ({
  ...page(request),
  name: text(request, "name"),
  search: text(request, "search"),
  sort: sort<NamedSort>(request),
});

const created = (description: string, schema: Part) => ({ status: 201, description, schema });
const removed = { status: 204, description: "It is removed." };

function shown({ integrations }: Services) {
  return (row: IntegrationRow) => integrationResource(row, integrations.nextFire(row), integrations.durability);
}

const connectorTypes: Route[] = [
  {
    method: "GET",
    path: "/v1/connector-types",
    operationId: "listConnectorTypes",
    scopes: ["connectors:read"],
    tag: "connector types",
    summary: "What connectors can be made of.",
    answer: ok("All types.", schemas.listOf(schemas.connectorType)),
    handle: async (_, { connectors }) => {
      const all = connectors.types();
      const names = [...new Set(all.map(({ type }) => type))];
      return { items: names.map((each) => connectorTypeResource(connectors.type(each), all)), next_cursor: null };
    },
  },
  {
    method: "GET",
    path: "/v1/connector-types/{type}",
    operationId: "getConnectorType",
    scopes: ["connectors:read"],
    tag: "connector types",
    summary: "One type, or one version of it (crm@1.2), with the JSON Schema of its config.",
    answer: ok("The type.", schemas.connectorType),
    handle: async ({ params }, { connectors }) =>
      connectorTypeResource(connectors.type(params.type!), connectors.types()),
  },
];

const connectors: Route[] = [
  {
    method: "GET",
    path: "/v1/connectors",
    operationId: "listConnectors",
    scopes: ["connectors:read"],
    tag: "connectors",
    summary: "Connectors, newest first.",
    query: {
      ...paging,
      ...ofNamed,
      type: {
        type: "string",
        minLength: 1,
        description: "Only those of this type, its version with it where it has one.",
      },
    },
    answer: ok("A page.", schemas.listOf(schemas.connector)),
    handle: async (request, { connectors }) => {
      const options = { ...namedOptions(request), type: text(request, "type") };
      return listResource(await connectors.list(options), connectorResource);
    },
  },
  {
    method: "POST",
    path: "/v1/connectors",
    operationId: "createConnector",
    scopes: ["connectors:write"],
    versioned: true,
    tag: "connectors",
    summary: "Makes a connector; its config is checked against its type's schema.",
    body: connectorSchema,
    answer: created("The connector, its secrets as ***.", schemas.connector),
    problems: [409],
    handle: async ({ body }, { connectors }) => connectorResource(await connectors.create(body)),
  },
  {
    method: "GET",
    path: "/v1/connectors/{id}",
    operationId: "getConnector",
    scopes: ["connectors:read"],
    versioned: true,
    tag: "connectors",
    summary: "One connector.",
    answer: ok("The connector, its secrets as ***.", schemas.connector),
    handle: async (request, { connectors }) => connectorResource(await connectors.get(id(request))),
  },
  {
    method: "PUT",
    path: "/v1/connectors/{id}",
    operationId: "replaceConnector",
    scopes: ["connectors:write"],
    versioned: true,
    tag: "connectors",
    summary: "Replaces a connector; *** in the place of a secret keeps it.",
    body: schemas.connectorReplacement,
    answer: ok("The connector, its secrets as ***.", schemas.connector),
    problems: [409],
    handle: async (request, { connectors }) =>
      connectorResource(
        await connectors.replace(
          id(request),
          schemas.writable(request.body, schemas.connectorReplacement),
          request.ifMatch,
        ),
      ),
  },
  {
    method: "DELETE",
    path: "/v1/connectors/{id}",
    operationId: "removeConnector",
    scopes: ["connectors:write"],
    versioned: true,
    tag: "connectors",
    summary: "Removes a connector that no integration uses.",
    answer: removed,
    problems: [409],
    handle: async (request, { connectors }) => void (await connectors.remove(id(request), request.ifMatch)),
  },
  {
    method: "POST",
    path: "/v1/connectors/{id}/test",
    operationId: "testConnector",
    scopes: ["connectors:test"],
    tag: "connectors",
    summary: "Connects, and takes a sample.",
    answer: ok("How it went; a failure is an answer, too.", schemas.test),
    handle: async (request, { connectors }) => connectors.test(id(request)),
  },
  {
    method: "POST",
    path: "/v1/connectors/{id}/discover",
    operationId: "discoverStreams",
    scopes: ["connectors:test"],
    tag: "connectors",
    summary: "Streams that the connector has, with their JSON Schemas.",
    answer: ok("The streams.", schemas.streams),
    problems: [422],
    handle: async (request, { connectors }) => connectors.discover(id(request)),
  },
  {
    method: "POST",
    path: "/v1/connectors/{id}/sample",
    operationId: "sampleStream",
    scopes: ["connectors:test"],
    tag: "connectors",
    summary: "The first records of a stream; no cursor moves.",
    query: {
      stream: { type: "string", minLength: 1, description: "Left out: the first that discover tells." },
      limit: { type: "integer", minimum: 1, maximum: 100, default: 10, description: "Most records." },
    },
    answer: ok("The records.", schemas.sample),
    problems: [422],
    handle: async (request, { connectors }) =>
      connectors.sample(id(request), { stream: text(request, "stream"), limit: request.query.limit as number }),
  },
];

const integrations: Route[] = [
  {
    method: "GET",
    path: "/v1/integrations",
    operationId: "listIntegrations",
    scopes: ["integrations:read"],
    tag: "integrations",
    summary: "Integrations, newest first.",
    query: {
      ...paging,
      ...ofNamed,
      enabled: { type: "boolean", description: "Only those that are, or are not, enabled." },
      health: { enum: ["ok", "degraded", "stopped", "waiting"], description: "Only those of this health." },
    },
    answer: ok("A page.", schemas.listOf(schemas.integration)),
    handle: async (request, services) => {
      const health = text(request, "health") as HealthStatus | null;
      const options = { ...namedOptions(request), enabled: flag(request, "enabled"), health };
      return listResource(await services.integrations.list(options), shown(services));
    },
  },
  {
    method: "POST",
    path: "/v1/integrations",
    operationId: "createIntegration",
    scopes: ["integrations:write"],
    versioned: true,
    tag: "integrations",
    summary: "Makes an integration, checked as a whole.",
    body: schemas.integrationBody,
    answer: created("The integration.", schemas.integration),
    problems: [409],
    handle: async ({ body }, services) => shown(services)(await services.integrations.create(body)),
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}",
    operationId: "getIntegration",
    scopes: ["integrations:read"],
    versioned: true,
    tag: "integrations",
    summary: "One integration.",
    answer: ok("The integration.", schemas.integration),
    handle: async (request, services) => shown(services)(await services.integrations.get(id(request))),
  },
  {
    method: "PUT",
    path: "/v1/integrations/{id}",
    operationId: "replaceIntegration",
    scopes: ["integrations:write"],
    versioned: true,
    tag: "integrations",
    summary: "Replaces an integration; its former version is kept.",
    query: {
      check: {
        type: "boolean",
        default: false,
        description:
          "First compare it with what its source gives and its destinations take, as enable does: 409 with what breaks.",
      },
    },
    body: schemas.integrationReplacement,
    answer: ok("The integration.", schemas.integration),
    problems: [409],
    handle: async (request, services) =>
      shown(services)(
        await services.integrations.replace(
          id(request),
          schemas.writable(request.body, schemas.integrationReplacement),
          request.ifMatch,
          { check: request.query.check === true },
        ),
      ),
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/versions",
    operationId: "listIntegrationVersions",
    scopes: ["integrations:read"],
    tag: "integrations",
    summary: "All versions of an integration, the newest (the current one) first.",
    query: { ...paging, ...sortBy("-version", "version") },
    answer: ok("A page.", schemas.listOf(schemas.integrationVersion)),
    handle: async (request, { integrations }) =>
      listResource(
        await integrations.versions(id(request), { ...page(request), sort: sort<"version">(request) }),
        integrationVersionResource,
      ),
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/versions/{version}",
    operationId: "getIntegrationVersion",
    scopes: ["integrations:read"],
    tag: "integrations",
    summary: "One version, as it was configured.",
    answer: ok("The version, its secrets as ***.", schemas.integrationVersionDetail),
    handle: async (request, { integrations }) =>
      integrationVersionResource(await integrations.version(id(request), request.params.version as string)),
  },
  {
    method: "DELETE",
    path: "/v1/integrations/{id}",
    operationId: "removeIntegration",
    scopes: ["integrations:write"],
    versioned: true,
    tag: "integrations",
    summary: "Removes an integration.",
    answer: removed,
    problems: [409],
    handle: async (request, { integrations }) => void (await integrations.remove(id(request), request.ifMatch)),
  },
  {
    method: "PUT",
    path: "/v1/integrations/{id}/enable",
    operationId: "enableIntegration",
    scopes: ["integrations:operate"],
    versioned: true,
    tag: "integrations",
    summary: "Lets schedules fire and runs start, once the integration is checked again.",
    answer: ok("The integration.", schemas.integration),
    problems: [409],
    handle: async (request, services) =>
      shown(services)(await services.integrations.enable(id(request), request.ifMatch)),
  },
  {
    method: "PUT",
    path: "/v1/integrations/{id}/losses/seen",
    operationId: "seeLosses",
    scopes: ["integrations:operate"],
    tag: "integrations",
    summary: "What logs or store have lost of it has been seen: its health says so no more, a moment later.",
    answer: ok("The integration.", schemas.integration),
    handle: async (request, services) => shown(services)(await services.integrations.seeLosses(id(request))),
  },
  {
    method: "PUT",
    path: "/v1/integrations/{id}/disable",
    operationId: "disableIntegration",
    scopes: ["integrations:operate"],
    versioned: true,
    tag: "integrations",
    summary: "Lets no schedule fire and no run start.",
    answer: ok("The integration.", schemas.integration),
    problems: [409],
    handle: async (request, services) =>
      shown(services)(await services.integrations.disable(id(request), request.ifMatch)),
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/fires",
    operationId: "listFires",
    scopes: ["integrations:read"],
    tag: "integrations",
    summary: "When an integration fires next by its schedule, the soonest first; empty without one, or while disabled.",
    query: { limit: { type: "integer", minimum: 1, maximum: 100, default: 10, description: "Most fires." } },
    answer: ok("The fires.", schemas.listOf(schemas.fire)),
    handle: async (request, { integrations }) => {
      const fires = await integrations.fires(id(request), request.query.limit as number);
      return { items: fires.map((at) => ({ at: at.toISOString() })), next_cursor: null };
    },
  },
  {
    method: "POST",
    path: "/v1/integrations/{id}/run",
    operationId: "startRun",
    scopes: ["runs:write"],
    tag: "runs",
    summary: "Starts a run.",
    answer: { status: 202, description: "The run, under way.", schema: schemas.run, location: "/v1/runs" },
    problems: [409],
    handle: async (request, { integrations }) => runResource(await integrations.run(id(request))),
  },
  {
    method: "POST",
    path: "/v1/integrations/{id}/invoke",
    operationId: "invokeIntegration",
    scopes: ["runs:write"],
    isData: true,
    tag: "integrations",
    summary: "Takes one record, the body, through the steps to the destinations, and answers with what became of it.",
    query: {
      on_timeout: {
        enum: ["keep", "drop"],
        default: "keep",
        description:
          "What becomes of a record that is not through in time: it goes on being delivered, or nothing more of it is written.",
      },
      timeout: { type: "string", default: "10s", description: "How long to wait, from 1ms to 60s." },
    },
    body: { type: "object", description: "The record." },
    answer: ok("What became of the record: it is through.", schemas.invoked),
    problems: [502],
    handle: async (request, { invoke }) => {
      const { on_timeout: onTimeout, timeout } = request.query as { on_timeout: OnTimeout; timeout: string };
      return invoke(id(request), request.body, { onTimeout, timeout, onGone: request.onGone });
    },
  },
  {
    method: "POST",
    path: "/v1/integrations/{id}/preview",
    operationId: "previewIntegration",
    scopes: ["integrations:write"],
    tag: "integrations",
    summary: "Takes given or sampled records through the steps, saved or drafted, and writes nothing.",
    body: previewBody,
    bodyOptional: true,
    answer: ok("What each step took and gave, by record, and what destinations would receive.", schemas.preview),
    problems: [422],
    handle: async (request, { preview }) => preview(id(request), request.body),
  },
];

const history: Route[] = [
  {
    method: "GET",
    path: "/v1/integrations/{id}/runs",
    operationId: "listRuns",
    scopes: ["runs:read"],
    tag: "runs",
    summary: "Runs of an integration, newest first.",
    query: {
      ...paging,
      status: { ...schemas.runStatus, description: "Only runs of this status." },
      trigger: { ...schemas.runTrigger, description: "Only runs that began so." },
      ...between("began"),
      ...sortBy("-started_at", "started_at"),
    },
    answer: ok("A page.", schemas.listOf(schemas.run)),
    handle: async (request, { history }) => {
      const options = {
        ...page(request),
        status: text(request, "status") as RunStatus | null,
        trigger: text(request, "trigger") as RunTrigger | null,
        since: date(request, "since"),
        until: date(request, "until"),
        sort: sort<"-started_at">(request),
      };
      return listResource(await history.runs(id(request), options), runResource);
    },
  },
  {
    method: "GET",
    path: "/v1/runs/{id}",
    operationId: "getRun",
    scopes: ["runs:read"],
    tag: "runs",
    summary: "One run.",
    answer: ok("The run, with the drift of its stream's schema.", schemas.runDetail),
    handle: async (request, { history }) => runDetailResource(await history.run(id(request))),
  },
  {
    method: "GET",
    path: "/v1/runs/{id}/series",
    operationId: "getRunSeries",
    scopes: ["runs:read"],
    tag: "runs",
    summary: "A run's counters over time, in at most 242 points however long it takes.",
    answer: ok("From its beginning to now, or its end.", schemas.runSeries),
    handle: async (request, { history }) => seriesResource(await history.series(id(request))),
  },
  {
    method: "GET",
    path: "/v1/runs/{id}/errors",
    operationId: "listRunErrors",
    scopes: ["dead-letters:read"],
    tag: "runs",
    summary:
      "A run's dead letters, whatever became of them; those that failed alike as one row, the most frequent first.",
    query: paging,
    answer: ok("A page.", schemas.listOf(schemas.deadLetterGroup)),
    handle: async (request, { deadLetters }) =>
      listResource(await deadLetters.errorsOf(id(request), page(request)), deadLetterGroupResource),
  },
  {
    method: "POST",
    path: "/v1/runs/{id}/cancel",
    operationId: "cancelRun",
    scopes: ["runs:write"],
    tag: "runs",
    summary: "Ends a run: its sources are closed, what is in hand is settled, and the rest is left to the next run.",
    answer: { status: 202, description: "The run, which ends soon, as its status says then.", schema: schemas.run },
    problems: [409],
    handle: async (request, { history }) => runResource(await history.cancel(id(request))),
  },
];

const apply: Route[] = [
  {
    method: "POST",
    path: "/v1/apply",
    operationId: "applyConfiguration",
    scopes: ["connectors:write", "integrations:write"],
    tag: "configuration",
    summary: "Applies a configuration: all of it or nothing. What it does not name is left as it is.",
    query: {
      dry_run: { type: "boolean", default: false, description: "Only say what would change." },
      skip_checks: { type: "boolean", default: false, description: "Do not connect to what changed." },
      allow_destructive: {
        type: "boolean",
        default: false,
        description: "Also what loses data or state; else that is refused with 409.",
      },
    },
    body: configSchema,
    answer: ok("What changed, or would.", schemas.plan),
    problems: [409, 422],
    handle: async (request, { apply }) => {
      // Whoever registers a plugin runs a program on the servers.
      if (isObject(request.body) && request.body.plugins !== undefined) {
        requireScopes(request.caller, ["platform:write"]);
      }
      const { dry_run: dryRun, skip_checks: skipChecks, allow_destructive: allowDestructive } = request.query;
      const { changes, left } = await apply(request.body, {
        dryRun: dryRun === true,
        skipChecks: skipChecks === true,
        allowDestructive: allowDestructive === true,
      });
      return { dry_run: dryRun, changes: changes as unknown as Json, left: left as unknown as Json };
    },
  },
];

/** The API under /v1. */
export const routes: readonly Route[] = [
  ...connectorTypes,
  ...pluginRoutes,
  ...connectors,
  ...integrations,
  ...history,
  ...deadLetterRoutes,
  ...liveRoutes,
  ...recordRoutes,
  ...keyRoutes,
  ...apply,
  ...secretsRoutes,
];
