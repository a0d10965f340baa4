import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import { type FieldError, SluiceError } from "../../runtime/errors/index.ts";
import type { ApiKeyListOptions, ApiKeyRow } from "../../runtime/ports/identity.ts";
import type { Page } from "../../runtime/ports/store.ts";
import { type Identity, newKey, roles, scopes, scopesOf } from "../auth/index.ts";
import { found, refuse, type ServiceContext, timeAt } from "./context.ts";

export const keyBody: Part = {
  type: "object",
  additionalProperties: false,
  required: ["name", "role"],
  properties: {
    name: {
      type: "string",
      minLength: 1,
      maxLength: 100,
      pattern: "^(?!oidc:|data folder$)[^\\u0000]*$",
      description:
        "What it is for. `oidc:` begins the names of those who sign in, `data folder` is the node's own token.",
    },
    role: { enum: Object.keys(roles), description: "Each may what the one before it may, and more." },
    scopes: {
      type: ["array", "null"],
      items: { type: "string", enum: scopes },
      minItems: 1,
      maxItems: scopes.length,
      uniqueItems: true,
      description: "What of the role it may; left out: all.",
    },
    owner: {
      type: ["string", "null"],
      pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
      description: "A team: the key sees only what the team's keys have made. Left out: that of who makes the key.",
    },
    expires_at: { type: ["string", "null"], format: "date-time", description: "Left out: never." },
    rate_limit: {
      type: ["integer", "null"],
      minimum: 0,
      maximum: 1_000_000,
      description: "Requests a minute on a node; 0: as many as it likes. Left out: as many as everybody.",
    },
  },
};

interface KeyInput {
  readonly name: string;
  readonly role: string;
  readonly scopes?: readonly string[] | null;
  readonly owner?: string | null;
  readonly expires_at?: string | null;
  readonly rate_limit?: number | null;
}

/** API keys. */
export function keyService({ store, validator }: ServiceContext) {
  return {
    /** A key may no more than who makes it. It is in the answer, and nowhere else. */
    async create(body: Json, caller: Identity): Promise<{ readonly key: string; readonly row: ApiKeyRow }> {
      refuse(validator.compile(keyBody)(body));
      const input = body as JsonObject as unknown as KeyInput;
      const { owner, expiresAt: until, rateLimit: own } = caller;
      const expiresAt = input.expires_at ? timeAt("expires_at", input.expires_at) : null;
      const errors: FieldError[] = [];
      if (expiresAt !== null && expiresAt.getTime() <= Date.now()) {
        errors.push({ path: "expires_at", message: "has passed already" });
      }
      if (until !== null && (expiresAt === null || expiresAt > until)) {
        errors.push({
          path: "expires_at",
          message: `must not be later than that of your own key, ${until.toISOString()}`,
        });
      }
      if (owner !== null && input.owner !== undefined && input.owner !== owner) {
        errors.push({ path: "owner", message: `must be ${owner}: a team makes keys for itself alone` });
      }
      // 0 is no limit; whoever has one gives it on, unless it gives a lower one.
      const rateLimit = input.rate_limit ?? (own || null);
      if (own ? !rateLimit || rateLimit > own : owner !== null && own === null && rateLimit !== null) {
        const limit = own ? `must not be above that of your own key, ${own}` : "is not for a team to set";
        errors.push({ path: "rate_limit", message: limit });
      }
      const more = [...scopesOf(input.role, input.scopes ?? null, input.owner ?? owner)].filter(
        (scope) => !caller.scopes.has(scope),
      );
      if (more.length > 0) errors.push({ path: "role", message: `may more than you may: ${more.join(", ")}` });
      refuse(errors);
      const { name, role, scopes = null } = input;
      const { key, row } = newKey({ name, role, scopes, owner: input.owner ?? owner, expiresAt, rateLimit });
      return { key, row: await store.apiKeys.create(row) };
    },

    list: (options: ApiKeyListOptions): Promise<Page<ApiKeyRow>> => store.apiKeys.list(options),
    get: async (id: string): Promise<ApiKeyRow> => found(await store.apiKeys.get(id), "key", id),

    /** It is refused from then on, by each node within seconds. */
    async revoke(id: string): Promise<void> {
      found(await store.apiKeys.get(id), "key", id);
      if (!(await store.apiKeys.revoke(id))) throw new SluiceError("CONFLICT", "the key is revoked already");
    },
  };
}
