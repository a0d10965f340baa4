/**
 * Milliseconds that an HTTP header `Retry-After` asks to wait, given in seconds or as a date; undefined where it is
 * neither. A date that has passed is 0.
 */
export function parseRetryAfter(header: string, now: number): number | undefined {
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // RFC 9110 has three forms of a date; Date.parse takes them all, and numbers too, which are none.
  const at = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(/GMT$/.test(text) ? text : `${text} GMT`) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
