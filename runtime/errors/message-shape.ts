/** Of e-mail addresses, on either side of the @. */
const part = String.raw`[^\s@"'<>()[\]{},;:]+`;

const values = [
  /"[^"]*"|'[^']*'/g,
  // From where one can begin: each character is looked at once.
  new RegExp(`(?<![^\\s@"'<>()[\\]{},;:])${part}@${part}`, "g"),
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
  /\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b/gi,
  /[0-9]+/g,
];

/**
 * What the messages of a thousand failures of one kind share: each without its values, which are quoted parts, e-mail
 * addresses, UUIDs, long hexadecimal ids and numbers.
 */
export function messageShape(message: string): string {
  return values.reduce((text, value) => text.replace(value, "0"), message);
}
