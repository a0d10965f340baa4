/** Text that Postgres takes: it knows no NUL. Lone surrogates become U+FFFD in UTF-8. */
export function clean<T extends string | null>(text: T): T {
  return (text?.includes("\0") ? text.replaceAll("\0", "\ufffd") : text) as T;
}

/** The same of all texts in a value, as JSON: once they are escaped in it, neither is to be seen. */
export function cleanJson(value: unknown): string {
  return JSON.stringify(value, (_, member) => (typeof member === "string" ? clean(member).toWellFormed() : member));
}
