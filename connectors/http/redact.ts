/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

/** Shorter ones would take words apart that are no secrets. */
const shortest = 4;

/** The secrets of a connector: in whatever a far side answers, they are replaced. */
export class Redactor {
  readonly #secrets = new Set<string>();
  readonly #host: Redact;

  /** `host`: what it knows of secrets besides. */
  constructor(host: Redact = (text) => text) {
    this.#host = host;
  }

  /** As it stands, and as it stands in a URL and in Basic authentication. */
  add(secret: string): void {
    if (secret.length < shortest) return;
    this.#secrets.add(secret);
    this.#secrets.add(encodeURIComponent(secret.toWellFormed()));
    this.#secrets.add(JSON.stringify(secret).slice(1, -1));
    this.#secrets.add(Buffer.from(secret).toString("base64"));
  }

  readonly redact: Redact = (text) => {
    let clean = text;
    // The longest first: one may hold another.
    for (const secret of [...this.#secrets].sort((a, b) => b.length - a.length))
      clean = clean.replaceAll(secret, "***");
    return this.#host(clean);
  };
}
