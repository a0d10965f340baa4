/** One text of those that are there. */
export const classNames = (...names: (string | false | null | undefined)[]): string =>
  names.filter((name) => name).join(" ");
