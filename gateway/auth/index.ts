export { admit, authenticate } from "./admit.ts";
export { type Authenticator, createAuthenticator, type Identity } from "./authenticator.ts";
export { gathered } from "./gathered.ts";
export { isTrustworthy } from "./issuer-keys.ts";
export { newKey } from "./keys.ts";
export { type OidcSettings, oidcAuthenticator } from "./oidc.ts";
export { type Allowance, RequestLimits, type RequestLimitsOptions, TooManyRequestsError } from "./request-limits.ts";
export { isRole, type Role, requireScopes, roles, type Scope, scopes, scopesOf } from "./scopes.ts";
export { ensureToken } from "./token.ts";
