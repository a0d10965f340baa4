import type { Json } from "../../connectors/sdk/index.ts";
import type { OverviewOptions } from "../../runtime/ports/store.ts";
import * as schemas from "./live-schemas.ts";
import { flag, id, ok, page, paging, text } from "./requests.ts";
import { listOf } from "./resource-schemas.ts";
import type { Route } from "./route.ts";

/** How everything does at this moment, and who asks. */
export const liveRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/overview",
    operationId: "getOverview",
    scopes: ["integrations:read"],
    tag: "live",
    summary: "All integrations and how they do at this moment, what needs attention first.",
    query: {
      ...paging,
      sort: {
        enum: ["attention", "name", "dead_letters"],
        default: "attention",
        description:
          "attention: stopped, degraded, circuits open, waiting, dead letters, the rest, disabled; dead_letters: most of them first; what is alike by name.",
      },
      health: { enum: ["ok", "degraded", "stopped", "waiting"], description: "Only those of this health." },
      enabled: { type: "boolean", description: "Only those that are, or are not, enabled." },
      search: { type: "string", minLength: 1, description: "Only those whose name has this in it, in any case." },
      dead_letters: { type: "boolean", description: "Only those that have, or do not have, unresolved dead letters." },
    },
    answer: ok("A page, with sums of everything.", schemas.overview),
    handle: async (request, { live }) => {
      const { sort, health } = request.query as Pick<OverviewOptions, "sort" | "health">;
      const filter = { health: health ?? null, enabled: flag(request, "enabled"), search: text(request, "search") };
      const deadLetters = flag(request, "dead_letters");
      return live.overview({ ...page(request), sort, ...filter, deadLetters });
    },
  },
  {
    method: "GET",
    path: "/v1/integrations/{id}/live",
    operationId: "getLive",
    scopes: ["integrations:read"],
    tag: "live",
    summary: "How an integration does at this moment: rates, what waits, and where it is held up.",
    answer: ok("The figures, as its owner has them.", schemas.liveDetail),
    handle: async (request, { live }) => live.of(id(request)),
  },
  {
    method: "GET",
    path: "/v1/events",
    operationId: "streamEvents",
    scopes: ["integrations:read"],
    tag: "live",
    summary: "Server-sent events of how everything does: first as it is now, then each change. It has no end.",
    query: {
      integration: { type: "string", minLength: 1, description: "Id: only of this one, with its graph and samples." },
    },
    answer: {
      status: 200,
      description: "Events, and a comment every ten seconds at least.",
      schema: { type: "string", description: schemas.eventsDescription },
      isStream: true,
    },
    problems: [404],
    handle: async (request, { events }) => events(text(request, "integration"), request.caller.scopes),
  },
  {
    method: "GET",
    path: "/v1/nodes",
    operationId: "listNodes",
    scopes: ["platform:read"],
    tag: "nodes",
    summary: "The nodes of the cluster, by id, each as it says of itself.",
    answer: ok("All of them.", listOf(schemas.node)),
    handle: async (_, { nodes }) => ({ items: (await nodes.list()) as unknown as Json, next_cursor: null }),
  },
  {
    method: "GET",
    path: "/v1/me",
    operationId: "getMe",
    scopes: [],
    tag: "api keys",
    summary: "Who asks, and what it may.",
    answer: ok("The key, or the token's subject.", schemas.me),
    handle: async ({ caller: { name, role, scopes, owner, expiresAt } }, { traceUrl }) => {
      const expires_at = expiresAt?.toISOString() ?? null;
      return { name, role, scopes: [...scopes], owner, expires_at, trace_url: traceUrl };
    },
  },
];
