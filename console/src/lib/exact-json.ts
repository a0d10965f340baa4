/*
 * JSON whose numbers keep every digit on their way through the browser: a double holds about 16 of them.
 */

type Reviver = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const { rawJSON, isRawJSON } = JSON as typeof JSON & {
  readonly rawJSON?: (text: string) => object;
  readonly isRawJSON?: (value: unknown) => boolean;
};

const exact: Reviver = (_, value, context) => {
  const source = context?.source;
  // What a browser that does not know how cannot keep is as it always was.
  if (typeof value !== "number" || source === undefined || rawJSON === undefined) return value;
  return JSON.stringify(value) === source || digitsOf(source) < 16 ? value : rawJSON(source);
};

const digitsOf = (number: string): number => number.replace(/e.*$/i, "").replaceAll(/[^0-9]/g, "").length;

/** Like `JSON.parse`. A number with more digits than a double is an object that `JSON.stringify` writes as it came. */
export const parseExact = (text: string): unknown =>
  /\d{15}/.test(text) ? JSON.parse(text, exact as never) : JSON.parse(text);

/** Whether this is such a number. */
export const isExact = (value: unknown): boolean => isRawJSON?.(value) ?? false;
