import type { FastifyReply, FastifyRequest } from "fastify";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Authenticator, Identity, RequestLimits } from "../auth/index.ts";

/** Who makes a request. Throws UNAUTHORIZED, RATE_LIMITED, or UNAVAILABLE where nobody can tell. */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  { auth, limits, isData }: { readonly auth: Authenticator; readonly limits: RequestLimits; readonly isData: boolean },
): Promise<Identity> {
  const caller = await authenticate(request, auth).catch((error: unknown) => {
    // Counted after the token was looked at: behind one address there may be callers with a token and others without.
    if (error instanceof SluiceError && error.code === "UNAUTHORIZED") limits.refused(request.ip);
    throw error;
  });
  const allowance = limits.take(caller, isData);
  if (allowance !== null) {
    // As of draft-ietf-httpapi-ratelimit-headers-10.
    reply.header("ratelimit-policy", `"requests";q=${allowance.limit};w=60`);
    reply.header("ratelimit", `"requests";r=${allowance.remaining};t=${allowance.resetS}`);
  }
  return caller;
}

async function authenticate({ headers }: FastifyRequest, auth: Authenticator): Promise<Identity> {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(headers.authorization ?? "") ?? [];
  const caller = token === undefined ? null : await auth.verify(token);
  if (caller !== null) return caller;
  const detail =
    token === undefined ? "a token is required: Authorization: Bearer TOKEN" : "the token is not known here";
  throw new SluiceError("UNAUTHORIZED", detail);
}

/** RFC 6750, section 3: what is wrong with a token, and nothing to whom has none. */
export function challenge({ headers }: FastifyRequest, detail: string): string {
  const realm = 'Bearer realm="sluice"';
  if (headers.authorization === undefined) return realm;
  return `${realm}, error="invalid_token", error_description="${detail.replaceAll(/[^\x20-\x7e]|["\\]/g, "")}"`;
}
