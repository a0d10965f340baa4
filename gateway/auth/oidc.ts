import { errors, type JWTPayload, jwtVerify } from "jose";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Authenticator, Identity } from "./authenticator.ts";
import { issuerKeys } from "./issuer-keys.ts";
import { isRole, type Role, roles, scopesOf } from "./scopes.ts";

/** Whose tokens are taken, and what is read from them. A claim is named as it is, or by the path to it: `a.b`. */
export interface OidcSettings {
  /** Of the tokens, letter by letter; its keys are found by its discovery document. */
  readonly issuer: string;
  /** One of them a token must be for. */
  readonly audiences: readonly string[];
  /** Has a role, a group, or several. */
  readonly roleClaim: string;
  /** By group, the role that it gives; empty: the claim has roles. */
  readonly roles: ReadonlyMap<string, Role>;
  /** Narrows the role down; undefined: nothing does. */
  readonly scopeClaim: string | undefined;
  /** Has the team, or `*` for all; undefined: who signs in so sees everything. */
  readonly ownerClaim: string | undefined;
}

/** What only the holder of a private key can make. A key that the issuer publishes is never taken for a shared secret. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** How far clocks may be apart. */
const leewayS = 10;
const cooldownMs = 30_000;
const team = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Who tokens of an issuer are of. Throws UNAUTHORIZED with what is wrong with one, UNAVAILABLE where nobody can tell. */
export function oidcAuthenticator(settings: OidcSettings, cooldown: number = cooldownMs): Authenticator {
  const { issuer, audiences } = settings;
  const keys = issuerKeys({ issuer, cooldownMs: cooldown });
  const expected = {
    algorithms,
    issuer,
    audience: [...audiences],
    clockTolerance: leewayS,
    requiredClaims: ["exp", "sub"],
  };
  return {
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, keys, expected);
        return identityOf(payload, settings);
      } catch (error) {
        throw refusalOf(error, issuer);
      }
    },
  };
}

function identityOf(claims: JWTPayload, settings: OidcSettings): Identity {
  const { sub } = claims;
  if (typeof sub !== "string" || !/^[\x20-\x7e]{1,255}$/.test(sub)) throw refused("its sub is no subject");
  const owner = ownerOf(claims, settings);
  const role = roleOf(textsOf(claims, settings.roleClaim), settings.roles);
  const narrowed =
    settings.scopeClaim === undefined
      ? null
      : textsOf(claims, settings.scopeClaim).flatMap((text) => text.split(" ").filter((scope) => scope !== ""));
  return {
    // What is remembered of a team's request is not told to the same person in another one.
    id: `oidc:${owner ?? ""}:${sub}`,
    name: `oidc:${sub}`,
    owner,
    role: role ?? null,
    scopes: scopesOf(role ?? "", narrowed, owner),
    // The token ends soon; what its holder may does not end with it.
    expiresAt: null,
    rateLimit: null,
  };
}

function ownerOf(claims: JWTPayload, { ownerClaim }: OidcSettings): string | null {
  if (ownerClaim === undefined) return null;
  const [owner, ...more] = textsOf(claims, ownerClaim);
  if (owner === "*" && more.length === 0) return null;
  // Never everything for want of a team.
  if (owner === undefined || more.length > 0 || !team.test(owner)) {
    throw new SluiceError("FORBIDDEN", `the token's ${ownerClaim} does not say which team it is of`);
  }
  return owner;
}

/** The one that may most. */
function roleOf(given: readonly string[], table: ReadonlyMap<string, Role>): Role | undefined {
  const found = new Set(given.map((each) => (table.size > 0 ? table.get(each) : isRole(each) ? each : undefined)));
  return (Object.keys(roles) as Role[]).findLast((role) => found.has(role));
}

/** A claim's texts: those of a list, or the one that it is, as it stands. Only scopes are parted by spaces. */
function textsOf(claims: JWTPayload, name: string): string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : name.split(".").reduce<unknown>(memberOf, claims);
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

const refused = (why: string, cause?: unknown) =>
  new SluiceError("UNAUTHORIZED", `the token is not taken: ${why}`, [], cause);

function refusalOf(error: unknown, issuer: string): unknown {
  if (!(error instanceof errors.JOSEError)) return error;
  if (error instanceof errors.JWTExpired) return refused("it has expired", error);
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(claimFaults[error.claim] ?? "a claim is missing");
  if (error instanceof errors.JOSEAlgNotAllowed) return refused("its algorithm is none of those that are taken", error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("its signature does not fit", error);
  if (error instanceof errors.JWKSNoMatchingKey) return refused("its issuer has no such key", error);
  if (error instanceof errors.JWKSMultipleMatchingKeys) return refused("it does not say which key signed it", error);
  const isIssuers = [errors.JWKSInvalid.code, errors.JWKSTimeout.code, errors.JOSEError.code].includes(error.code);
  if (isIssuers) return new SluiceError("UNAVAILABLE", `the issuer ${issuer} tells no keys now`, [], error);
  return refused("it is no signed JWT", error);
}

const claimFaults: { readonly [claim: string]: string } = {
  iss: "it is of another issuer",
  aud: "it is for another audience",
  nbf: "it is not valid yet",
  exp: "it has no time of expiry",
  sub: "it has no subject",
};
