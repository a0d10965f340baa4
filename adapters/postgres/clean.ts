/** Text that Postgres takes: it knows no NUL. (Lone surrogates become U+FFFD in UTF-8.) */
export function clean(text: string | null): string | null {
  return text?.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}
