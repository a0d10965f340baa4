import { SluiceError } from "../../runtime/errors/index.ts";

/** What may be done, one a kind of route. */
export const scopes = [
  "connectors:read",
  "connectors:test",
  "connectors:write",
  "integrations:read",
  "integrations:operate",
  "integrations:write",
  "runs:read",
  "runs:write",
  "dead-letters:read",
  "dead-letters:write",
  "keys:read",
  "keys:write",
  "audit:read",
  /** What concerns the servers as a whole and belongs to no team: plugins, keys of secrets, metrics. */
  "platform:read",
  "platform:write",
] as const;
export type Scope = (typeof scopes)[number];

const viewer: readonly Scope[] = [
  "connectors:read",
  "integrations:read",
  "runs:read",
  "dead-letters:read",
  "platform:read",
];
const operator: readonly Scope[] = [
  ...viewer,
  "connectors:test",
  "integrations:operate",
  "runs:write",
  "dead-letters:write",
];
const editor: readonly Scope[] = [...operator, "connectors:write", "integrations:write"];

/** Each may what the one before it may, and more. */
export const roles = { viewer, operator, editor, admin: scopes } as const satisfies Record<string, readonly Scope[]>;
export type Role = keyof typeof roles;

export const isRole = (text: string): text is Role => Object.hasOwn(roles, text);

/** What a role may, narrowed down to the given scopes where there are some. A team has no say in the platform. */
export function scopesOf(role: string, narrowed: readonly string[] | null, owner: string | null): ReadonlySet<Scope> {
  const all: readonly Scope[] = isRole(role) ? roles[role] : [];
  return new Set(
    all.filter((scope) => {
      if (owner !== null && scope.startsWith("platform:")) return false;
      return narrowed === null || narrowed.includes(scope);
    }),
  );
}

/** Throws FORBIDDEN with what is missing. */
export function requireScopes(
  { name, scopes }: { readonly name: string; readonly scopes: ReadonlySet<Scope> },
  wanted: readonly Scope[],
): void {
  const missing = wanted.filter((scope) => !scopes.has(scope));
  if (missing.length > 0) throw new SluiceError("FORBIDDEN", `${name} may not do this: it lacks ${missing.join(", ")}`);
}
