import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { isSealed } from "./hook-secrets.ts";
import { items, object } from "./json-shape.ts";
import { checkReferences, hasReference } from "./references.ts";
import { closed, duration, list, oneOfWords, text } from "./schema-parts.ts";
import { redacted } from "./secrets.ts";

/** Schemes by which the sender of a webhook proves itself. */
export const hookSchemes = [
  "standard-webhooks",
  "github",
  "stripe",
  "slack",
  "hmac",
  "basic",
  "bearer",
  "none",
] as const;
export type HookScheme = (typeof hookSchemes)[number];

/** How the senders of an integration's hooks prove themselves. */
export interface HookAuth {
  readonly scheme: HookScheme;
  /** Each is valid: several during rotation. */
  readonly secrets: readonly string[];
  /** Whom a provider's question by GET (`hub.verify_token`) proves to be the right one; undefined: nobody asks. */
  readonly verifyToken?: string;
  readonly toleranceMs: number;
  /** Scheme hmac: how the signature stands where. */
  readonly hmac?: HmacForm;
}

export interface HmacForm {
  readonly header: string;
  readonly algorithm: "sha1" | "sha256" | "sha512";
  readonly encoding: "hex" | "base64";
  /** Before the digest in the header, such as `sha256=`. */
  readonly prefix: string;
  /** Holds the seconds since 1970; what is signed then is `{timestamp}.{body}`. */
  readonly timestampHeader?: string;
}

/** More than any rotation has; each costs a digest a request. */
const maxSecrets = 8;

/** What only the scheme `hmac` takes. */
const hmacFields = ["header", "algorithm", "encoding", "prefix", "timestamp_header"] as const;

const headerName = (description: string) => ({ ...text(description), pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$" });

export const hookAuthSchema = closed(
  "How a sender proves itself.",
  {
    scheme: oneOfWords("How a request is signed, or what it presents; `none` takes whatever comes.", hookSchemes),
    secrets: {
      ...list(
        "Secrets that are valid, several during rotation: references, or texts, which are kept encrypted and shown as ***.",
        { ...text("A secret, in the form of its scheme; of basic `user:password`."), writeOnly: true },
        1,
      ),
      maxItems: maxSecrets,
    },
    verify_token: {
      ...text(
        "What Meta, Strava and others ask by as hub.verify_token; a secret of its own, as those in `secrets` are.",
      ),
      writeOnly: true,
    },
    tolerance: duration("How old a signed request may be, and how far ahead its clock.", "5m"),
    header: headerName("Scheme hmac: the header that has the signature."),
    algorithm: oneOfWords("Scheme hmac: the digest; left out: sha256.", ["sha1", "sha256", "sha512"]),
    encoding: oneOfWords("Scheme hmac: how the digest is written; left out: hex.", ["hex", "base64"]),
    prefix: text("Scheme hmac: what stands before the digest, such as `sha256=`."),
    timestamp_header: headerName(
      "Scheme hmac: the header with the seconds since 1970; what is signed then is `{timestamp}.{body}`.",
    ),
  },
  ["scheme"],
);

/** What the schema cannot say of a trigger `webhook`. */
export function checkHookAuth(trigger: Json): FieldError[] {
  const { type, auth } = object(trigger);
  if (type !== "webhook") return [];
  if (auth === undefined) {
    const message = "is required: how senders prove themselves (scheme none takes whatever comes)";
    return [{ path: "trigger.auth", message }];
  }
  const { scheme, secrets, verify_token: token, header, ...given } = object(auth);
  const errors: FieldError[] = [];
  const refuse = (field: string, message: string) => errors.push({ path: `trigger.auth.${field}`, message });
  if (scheme === "none" && secrets !== undefined) refuse("secrets", "do not go with scheme none, which checks nothing");
  if (scheme !== "none" && secrets === undefined) refuse("secrets", `are required by scheme ${scheme}`);
  if (scheme === "hmac" && header === undefined)
    refuse("header", "is required by scheme hmac: where the signature stands");
  for (const field of hmacFields) {
    if (scheme !== "hmac" && (field === "header" ? header : given[field]) !== undefined)
      refuse(field, "goes only with scheme hmac");
  }
  const check = (field: string, secret: Json | undefined, faultOf: (text: string) => string | undefined) => {
    if (typeof secret !== "string") return;
    const isText = !hasReference(secret) && !isSealed(secret) && secret !== redacted;
    const fault = checkReferences(secret) ?? (isText ? faultOf(secret) : undefined);
    if (fault !== undefined) refuse(field, fault);
  };
  for (const [index, secret] of items(secrets).entries()) {
    check(`secrets[${index}]`, secret, (text) => hookSecretFault(scheme as HookScheme, text));
  }
  check("verify_token", token, (text) => (text.trim() === "" ? "is empty" : undefined));
  return errors;
}

/** Why a text, its references resolved, can be no secret of the scheme; undefined: it can. */
export function hookSecretFault(scheme: HookScheme, secret: string): string | undefined {
  if (secret.trim() === "") return "is empty";
  if (scheme === "basic" && !secret.includes(":")) return "is not of the form user:password";
  if (scheme !== "standard-webhooks") return undefined;
  const [, kind = "whsec_", text = ""] = /^(wh(?:sec|pk)_)?(.*)$/s.exec(secret)!;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return `is not base64${secret === text ? "" : ` after ${kind}`}`;
  const { length } = Buffer.from(text, "base64");
  if (kind === "whpk_") return length === 32 ? undefined : "is no Ed25519 key: it has not 32 bytes";
  // The specification says 24 to 64; what is shorter than 16 can be guessed.
  return length < 16 ? "is a key of less than 16 bytes" : undefined;
}
