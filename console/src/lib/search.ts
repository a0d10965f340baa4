/** What stands behind the question mark, as it came. */
export type Search = Readonly<Record<string, unknown>>;

/** A text that is there, or nothing. */
export const text = (value: unknown): string | undefined =>
  value === undefined || value === "" ? undefined : String(value);

/** One of the given words, or nothing. */
export const oneOf = <Word extends string>(value: unknown, words: readonly Word[]): Word | undefined =>
  words.find((word) => word === value);

export const textsOf = (search: string): Record<string, string> => Object.fromEntries(new URLSearchParams(search));

/** With its question mark; without what is not there. */
export function urlOf(search: Search): string {
  const given = Object.entries(search).flatMap(([name, value]) => {
    const written = text(value);
    return written === undefined ? [] : [[name, written]];
  });
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
