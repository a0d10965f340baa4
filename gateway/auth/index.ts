export { type Authenticator, createAuthenticator, ensureToken } from "./token.ts";
