export { type Authenticator, createAuthenticator, type Identity } from "./authenticator.ts";
export { newKey } from "./keys.ts";
export { requireScopes, roles, type Scope, scopes, scopesOf } from "./scopes.ts";
export { ensureToken } from "./token.ts";
