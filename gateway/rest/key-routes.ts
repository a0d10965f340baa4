import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ApiKeyRow, AuditRow } from "../../runtime/ports/identity.ts";
import { roles } from "../auth/index.ts";
import { keyBody } from "../services/index.ts";
import { listResource } from "../services/resources.ts";
import { between, date, flag, id, ok, page, paging, sort, sortBy, text } from "./requests.ts";
import * as schemas from "./resource-schemas.ts";
import type { Route } from "./route.ts";

const timeOf = (date: Date | null): string | null => date?.toISOString() ?? null;

function keyResource(row: ApiKeyRow): JsonObject {
  const { id, name, prefix, role, scopes, owner, rateLimit, createdBy } = row;
  const times = {
    created_at: timeOf(row.createdAt),
    expires_at: timeOf(row.expiresAt),
    last_used_at: timeOf(row.lastUsedAt),
    revoked_at: timeOf(row.revokedAt),
  };
  const limits = { scopes: scopes && [...scopes], owner, rate_limit: rateLimit };
  return { id, name, prefix, role, ...limits, created_by: createdBy, ...times };
}

function auditResource(row: AuditRow): JsonObject {
  const { id, actor, actorId, owner, requestId, action, resourceId, resourceName, before, after } = row;
  const resource = { resource_id: resourceId, resource_name: resourceName };
  return {
    id,
    at: timeOf(row.at),
    actor,
    actor_id: actorId,
    owner,
    request_id: requestId,
    action,
    ...resource,
    before,
    after,
  };
}

/** API keys, and the log of what was changed. */
export const keyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/api-keys",
    operationId: "listApiKeys",
    scopes: ["keys:read"],
    tag: "api keys",
    summary: "Keys, newest first, revoked ones too.",
    query: {
      ...paging,
      search: { type: "string", minLength: 1, description: "Only those whose name has this in it, in any case." },
      role: { enum: Object.keys(roles), description: "Only those of this role." },
      revoked: { type: "boolean", description: "Only those that are, or are not, revoked." },
      ...sortBy("-created_at", "created_at", "name", "-name"),
    },
    answer: ok("A page.", schemas.listOf(schemas.apiKey)),
    handle: async (request, { keys }) => {
      const filter = {
        search: text(request, "search"),
        role: text(request, "role"),
        revoked: flag(request, "revoked"),
      };
      return listResource(await keys.list({ ...page(request), ...filter, sort: sort<"name">(request) }), keyResource);
    },
  },
  {
    method: "POST",
    path: "/v1/api-keys",
    operationId: "createApiKey",
    scopes: ["keys:write"],
    tag: "api keys",
    summary: "Makes a key, which is shown this once.",
    body: keyBody,
    answer: { status: 201, description: "The key.", schema: schemas.newApiKey, isSecret: true },
    handle: async ({ body, caller }, { keys }) => {
      const { key, row } = await keys.create(body, caller);
      return { ...keyResource(row), key };
    },
  },
  {
    method: "GET",
    path: "/v1/api-keys/{id}",
    operationId: "getApiKey",
    scopes: ["keys:read"],
    tag: "api keys",
    summary: "One key.",
    answer: ok("The key, without what opens anything.", schemas.apiKey),
    handle: async (request, { keys }) => keyResource(await keys.get(id(request))),
  },
  {
    method: "DELETE",
    path: "/v1/api-keys/{id}",
    operationId: "revokeApiKey",
    scopes: ["keys:write"],
    tag: "api keys",
    summary: "Revokes a key: it is refused by every node within ten seconds.",
    answer: { status: 204, description: "It is revoked." },
    problems: [409],
    handle: async (request, { keys }) => void (await keys.revoke(id(request))),
  },
  {
    method: "GET",
    path: "/v1/audit-log",
    operationId: "listAuditLog",
    scopes: ["audit:read"],
    tag: "audit log",
    summary: "Every change, newest first: who, what, before and after.",
    query: {
      ...paging,
      resource_id: { type: "string", format: "uuid", description: "Only changes of this." },
      actor: { type: "string", minLength: 1, description: "Only changes by keys of this name." },
      actor_id: { type: "string", minLength: 1, description: "Only changes by this key." },
      action: {
        type: "string",
        minLength: 1,
        description: "Only such changes: connector.updated, or connector for all that is done to those.",
      },
      ...between("were made"),
      ...sortBy("-at", "at"),
    },
    answer: ok("A page.", schemas.listOf(schemas.auditEntry)),
    handle: async (request, { audit }) => {
      const options = {
        ...page(request),
        resourceId: text(request, "resource_id"),
        actor: text(request, "actor"),
        actorId: text(request, "actor_id"),
        action: text(request, "action"),
        since: date(request, "since"),
        until: date(request, "until"),
        sort: sort<"at">(request),
      };
      return listResource(await audit.list(options), auditResource);
    },
  },
];
