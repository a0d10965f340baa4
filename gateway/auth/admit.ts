import { SluiceError } from "../../runtime/errors/index.ts";
import type { Authenticator, Identity } from "./authenticator.ts";
import type { Allowance, RequestLimits } from "./request-limits.ts";

/** What asks to be let in. */
export interface Knock {
  /** As the header has it. */
  readonly authorization: string | undefined;
  readonly address: string;
  /** It moves records. */
  readonly isData: boolean;
}

/** Who makes a request, and what is left to it. Throws UNAUTHORIZED, RATE_LIMITED, or UNAVAILABLE where nobody can tell. */
export async function admit(
  { authorization, address, isData }: Knock,
  { auth, limits }: { readonly auth: Authenticator; readonly limits: RequestLimits },
): Promise<{ readonly caller: Identity; readonly allowance: Allowance | null }> {
  const caller = await authenticate(authorization, auth, limits.isSpent(address)).catch((error: unknown) => {
    // Counted after the token was looked at: behind one address there may be callers with a token and others without.
    if (error instanceof SluiceError && error.code === "UNAUTHORIZED") limits.refused(address);
    throw error;
  });
  return { caller, allowance: limits.take(caller, isData) };
}

/** Who makes a request, without counting it. `isFlood` as of Authenticator. */
export async function authenticate(
  authorization: string | undefined,
  auth: Pick<Authenticator, "verify">,
  isFlood = false,
): Promise<Identity> {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? "") ?? [];
  const caller = token === undefined ? null : await auth.verify(token, isFlood);
  if (caller !== null) return caller;
  const detail =
    token === undefined ? "a token is required: Authorization: Bearer TOKEN" : "the token is not known here";
  throw new SluiceError("UNAUTHORIZED", detail);
}
