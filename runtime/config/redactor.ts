import { redacted } from "./secrets.ts";

const mediaType =
  /^(?:application|audio|font|image|message|model|multipart|text|video)\/[\w.+*-]+(?: *; *(?:charset|q|version|profile|odata[\w.]*)=[\w.+"-]{1,40})*$/;

/** Of the many that change with every lease, the latest. */
const most = 20_000;

/**
 * Knows secrets by their values and takes them out of texts, as they stand and as they are encoded on their way: in
 * URLs, in JSON, in base64 and in hex. What goes to a log, an error or an answer passes it (invariant 7).
 */
export class Redactor {
  readonly #shortest: number;
  readonly #others: Redactor | undefined;
  /** The encodings of each secret, the latest used last. */
  readonly #secrets = new Map<string, readonly string[]>();
  /** All of them, the longest first: one may hold another. */
  #forms: readonly string[] | undefined;

  /**
   * Shorter secrets than `shortest` would take words apart that are no secrets. What `others` knows is taken out as
   * well.
   */
  constructor({ shortest = 4, others }: { readonly shortest?: number; readonly others?: Redactor | undefined } = {}) {
    this.#shortest = shortest;
    this.#others = others;
  }

  /** Its passwords too where it is a URL, and its lines where it has several. */
  add(secret: string): void {
    for (const part of partsOf(secret)) {
      // What a header such as Accept has is sealed with the others, and is no secret.
      if (part.length < this.#shortest || mediaType.test(part)) continue;
      const known = this.#secrets.get(part);
      this.#secrets.delete(part);
      this.#secrets.set(part, known ?? formsOf(part));
      if (known) continue;
      if (this.#secrets.size > most) this.#secrets.delete(this.#secrets.keys().next().value as string);
      this.#forms = undefined;
    }
  }

  /** Every text within a value. */
  addAll(value: unknown): void {
    if (typeof value === "string") this.add(value);
    else if (typeof value === "number") this.add(String(value));
    else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) this.addAll(item);
  }

  readonly redact = (text: string): string => {
    this.#forms ??= [...new Set([...this.#secrets.values()].flat())].sort((a, b) => b.length - a.length);
    let clean = text;
    for (const form of this.#forms) if (clean.includes(form)) clean = clean.replaceAll(form, redacted);
    return this.#others ? this.#others.redact(clean) : clean;
  };

  /** The same error, with what it says redacted, and what caused it. */
  readonly redactError = <T>(error: T): T => {
    if (typeof error === "string") return this.redact(error) as T;
    if (error instanceof Error) this.#clean(error as unknown as Record<string, unknown>, 0);
    return error;
  };

  /** Texts of an error at any depth: `message`, `stack`, and what a library adds of its own. */
  #clean(value: Record<string, unknown>, depth: number): void {
    // An error's own message and stack are not enumerable.
    for (const name of new Set([...Object.keys(value), ...("message" in value ? ["message", "stack", "cause"] : [])])) {
      const item = value[name];
      if (typeof item === "string") {
        const clean = this.redact(item);
        // One that is frozen, or has only a getter, has to be left.
        if (clean !== item) Reflect.set(value, name, clean);
      } else if (typeof item === "object" && item !== null && depth < deepest) {
        this.#clean(item as Record<string, unknown>, depth + 1);
      }
    }
  }
}

const deepest = 4;

/**
 * A secret, and what in it is a secret by itself: a line of a key, the password and the parameters of a URL, what stands
 * behind the scheme of an Authorization header, the values of a cookie.
 */
function partsOf(secret: string): string[] {
  const lines = secret.includes("\n") ? secret.split(/\r?\n/).filter((line) => line.length >= 16) : [];
  const [, scheme, credentials] = /^([A-Za-z][\w-]{2,15}) +(\S{8,})$/.exec(secret) ?? [];
  if (credentials !== undefined) {
    const [, password = ""] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, "base64").toString()) ?? [];
    return [secret, credentials, ...(scheme?.toLowerCase() === "basic" ? [password] : [])];
  }
  const pairs = [...secret.matchAll(/(?:^|[;,\s])[\w.-]+="?([^";,\s]{8,})/g)].map(([, value]) => value as string);
  const parts = [secret, ...lines, ...pairs];
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(secret) || !URL.canParse(secret)) return parts;
  const { password, searchParams } = new URL(secret);
  const values = [...searchParams.values()].filter((value) => value.length >= 8);
  return [...parts, password, decoded(password), ...values];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    inJson,
    // JSON in JSON, as where an answer is quoted in an answer.
    JSON.stringify(inJson).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    new URLSearchParams([["", secret]]).toString().slice(1),
    ...(bytes.length < 6 ? [] : [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")]),
    ...[0, 1, 2].flatMap((at) => inBase64(bytes, at)),
  ];
}

/**
 * What stays of it in the base64 of any longer text that has it `offset` bytes (modulo 3) from its start: all but two
 * bytes at either end.
 */
function inBase64(bytes: Buffer, offset: number): string[] {
  const whole = bytes.subarray((3 - offset) % 3);
  const base64 = whole.subarray(0, whole.length - (whole.length % 3)).toString("base64");
  return base64.length < 8 ? [] : [base64, base64.replaceAll("+", "-").replaceAll("/", "_")];
}
