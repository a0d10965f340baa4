/** The bytes of a text in Base64, with or without its padding; undefined where it is none: Buffer leaves out what it cannot read. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "") ? bytes : undefined;
}
