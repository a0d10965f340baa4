import type { FastifyReply, FastifyRequest } from "fastify";
import {
  type Allowance,
  type Authenticator,
  admit as admitted,
  type Identity,
  type RequestLimits,
} from "../auth/index.ts";

/** Who makes a request, with what is left to it in the answer's headers. Throws as `admit` of gateway/auth. */
export async function admit(
  { headers: { authorization }, ip: address }: FastifyRequest,
  reply: FastifyReply,
  { isData, ...by }: { readonly auth: Authenticator; readonly limits: RequestLimits; readonly isData: boolean },
): Promise<Identity> {
  const { caller, allowance } = await admitted({ authorization, address, isData }, by);
  if (allowance !== null) tell(reply, allowance);
  return caller;
}

/** As of draft-ietf-httpapi-ratelimit-headers-10. */
export function tell(reply: FastifyReply, { limit, remaining, resetS }: Allowance): void {
  reply.header("ratelimit-policy", `"requests";q=${limit};w=60`);
  reply.header("ratelimit", `"requests";r=${remaining};t=${resetS}`);
}

/** RFC 6750, section 3: what is wrong with a token, and nothing to whom has none. */
export function challenge({ headers }: FastifyRequest, detail: string): string {
  const realm = 'Bearer realm="sluice"';
  if (headers.authorization === undefined) return realm;
  return `${realm}, error="invalid_token", error_description="${detail.replaceAll(/[^\x20-\x7e]|["\\]/g, "")}"`;
}
