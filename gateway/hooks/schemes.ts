import { type HookAuth, type HookScheme, hookSecretFault } from "../../runtime/config/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import { type HookRequest, headerOf, isSame, refused, signedAt, type Verifier } from "./proof.ts";
import { digestOf, ed25519Key, isAmong, isSignedBy, macOf, secretKey } from "./signature.ts";

/** More than any rotation signs with; each costs a digest, or far more. */
const maxSignatures = 16;
/** Ed25519 reads the body anew, twice, for each signature and key, before anything has proved itself. */
const ed25519 = { signatures: 4, bodyBytes: 1024 * 1024 };

const wrong = "The signature does not fit the body";

/** `auth` has its references resolved. Throws a SluiceError (VALIDATION_ERROR) for a secret that can be none. */
export function createVerifier(auth: HookAuth): Verifier {
  if (auth.scheme === "none") return () => ({ isSigned: false });
  if (auth.secrets.length === 0) throw unusable("secrets", "are needed");
  auth.secrets.forEach((secret, index) => {
    const fault = hookSecretFault(auth.scheme, secret);
    if (fault !== undefined) throw unusable(`secrets[${index}]`, fault);
  });
  return schemes[auth.scheme](auth);
}

const schemes: Readonly<Record<Exclude<HookScheme, "none">, (auth: HookAuth) => Verifier>> = {
  "standard-webhooks": standardWebhooks,
  github: (auth) =>
    hmac({ ...auth, hmac: { header: "x-hub-signature-256", algorithm: "sha256", encoding: "hex", prefix: "sha256=" } }),
  stripe,
  slack,
  hmac,
  basic,
  bearer,
};

/** Standard Webhooks 1.0.0; also with the older names of the headers, which begin with `svix-`. */
function standardWebhooks({ secrets, toleranceMs }: HookAuth): Verifier {
  const keysOf = (prefix: string) =>
    secrets.flatMap((secret) =>
      secret.startsWith(prefix) ? [Buffer.from(secret.slice(prefix.length), "base64")] : [],
    );
  const publicKeys = keysOf("whpk_").map(ed25519Key);
  const plain = secrets.filter((secret) => !/^wh(sec|pk)_/.test(secret)).map((secret) => Buffer.from(secret, "base64"));
  const macKeys = [...keysOf("whsec_"), ...plain].map(secretKey);
  return (request, now) => {
    const prefix = request.headers["webhook-id"] === undefined && request.headers["svix-id"] ? "svix" : "webhook";
    const id = headerOf(request, `${prefix}-id`);
    const timestamp = headerOf(request, `${prefix}-timestamp`);
    const signatures = headerOf(request, `${prefix}-signature`).split(" ");
    if (signatures.length > maxSignatures) throw refused(`There are more than ${maxSignatures} signatures`);
    const at = signedAt(timestamp, `${prefix}-timestamp`, now, toleranceMs);
    const head = `${id}.${timestamp}.`;
    const given = (version: string) =>
      signatures.flatMap((each) => (each.startsWith(`${version},`) ? [each.slice(version.length + 1)] : []));
    const digests = given("v1").map((each) => digestOf(each, "sha256", "base64"));
    const expected = digests.length > 0 ? macKeys.map((key) => macOf("sha256", key, head, request.body)) : [];
    if (isAmong(digests, expected)) return { isSigned: true, id, signedAt: at };
    const asymmetric = publicKeys.length > 0 ? given("v1a") : [];
    if (asymmetric.length > ed25519.signatures)
      throw refused(`There are more than ${ed25519.signatures} v1a signatures`);
    if (asymmetric.length > 0 && request.body.length > ed25519.bodyBytes)
      throw refused("A body of more than 1 MiB is not taken with v1a signatures");
    const message = asymmetric.length > 0 ? Buffer.concat([Buffer.from(head), request.body]) : Buffer.alloc(0);
    if (!asymmetric.some((each) => publicKeys.some((key) => isSignedBy(key, message, each)))) throw refused(wrong);
    return { isSigned: true, id, signedAt: at };
  };
}

/** Stripe-Signature: `t=SECONDS,v1=HEX[,v1=HEX…]` over `{t}.{body}`; the key is the secret as it stands. */
function stripe({ secrets, toleranceMs }: HookAuth): Verifier {
  const keys = secrets.map(secretKey);
  return (request, now) => {
    const parts = headerOf(request, "stripe-signature").split(",");
    const valuesOf = (name: string) =>
      parts.flatMap((part) => (part.trim().startsWith(`${name}=`) ? [part.trim().slice(name.length + 1)] : []));
    if (parts.length > maxSignatures) throw refused(`There are more than ${maxSignatures} signatures`);
    const [timestamp = ""] = valuesOf("t");
    const at = signedAt(timestamp, "t in the header stripe-signature", now, toleranceMs);
    const digests = valuesOf("v1").map((each) => digestOf(each, "sha256", "hex"));
    const expected = keys.map((key) => macOf("sha256", key, `${timestamp}.`, request.body));
    if (!isAmong(digests, expected)) throw refused(wrong);
    return { isSigned: true, signedAt: at };
  };
}

/** X-Slack-Signature: `v0=HEX` over `v0:{timestamp}:{body}`. */
function slack({ secrets, toleranceMs }: HookAuth): Verifier {
  const keys = secrets.map(secretKey);
  return (request, now) => {
    const timestamp = headerOf(request, "x-slack-request-timestamp");
    const signature = headerOf(request, "x-slack-signature");
    const at = signedAt(timestamp, "x-slack-request-timestamp", now, toleranceMs);
    const digest = signature.startsWith("v0=") ? digestOf(signature.slice(3), "sha256", "hex") : undefined;
    const expected = keys.map((key) => macOf("sha256", key, `v0:${timestamp}:`, request.body));
    if (!isAmong([digest], expected)) throw refused(wrong);
    return { isSigned: true, signedAt: at };
  };
}

function hmac({ secrets, toleranceMs, hmac: form }: HookAuth): Verifier {
  if (!form) throw unusable("header", "is needed by the scheme hmac");
  const { header, algorithm, encoding, prefix, timestampHeader } = form;
  const keys = secrets.map(secretKey);
  return (request, now) => {
    const text = headerOf(request, header);
    const digest = text.startsWith(prefix) ? digestOf(text.slice(prefix.length), algorithm, encoding) : undefined;
    const timestamp = timestampHeader === undefined ? undefined : headerOf(request, timestampHeader);
    const at = timestamp === undefined ? undefined : signedAt(timestamp, timestampHeader ?? "", now, toleranceMs);
    const expected = keys.map((key) =>
      macOf(algorithm, key, timestamp === undefined ? "" : `${timestamp}.`, request.body),
    );
    if (!isAmong([digest], expected)) throw refused(wrong);
    return { isSigned: true, ...(at !== undefined && { signedAt: at }) };
  };
}

/** A secret is `user:password` (RFC 7617). */
function basic({ secrets }: HookAuth): Verifier {
  const expected = secrets.map((secret) => Buffer.from(secret));
  return (request) => presented(request, "Basic", (token) => Buffer.from(token, "base64"), expected);
}

/** RFC 6750, section 2.1. */
function bearer({ secrets }: HookAuth): Verifier {
  const expected = secrets.map((secret) => Buffer.from(secret));
  return (request) => presented(request, "Bearer", (token) => Buffer.from(token), expected);
}

function presented(
  request: HookRequest,
  scheme: string,
  decode: (token: string) => Buffer,
  expected: readonly Buffer[],
) {
  const [, name = "", token = ""] = /^(\S+) +(\S+) *$/.exec(headerOf(request, "authorization")) ?? [];
  const given = decode(token);
  const isRight = expected.reduce((found, right) => isSame(given, right) || found, false);
  if (name.toLowerCase() !== scheme.toLowerCase() || !isRight) throw refused("The credentials are not valid");
  return { isSigned: false };
}

function unusable(path: string, message: string): SluiceError {
  const at = `trigger.auth.${path}`;
  return new SluiceError("VALIDATION_ERROR", `${at} ${message}`, [{ path: at, message }]);
}
