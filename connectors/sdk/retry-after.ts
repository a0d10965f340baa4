/** More patience nobody has. */
const mostMs = 3_600_000;

/**
 * Milliseconds that an HTTP header `Retry-After` asks to wait, given in seconds or as a date, an hour at most. Undefined
 * where it is neither, and where it asks for no wait (0, a date that has passed): it is no leave to ask without a pause.
 */
export function parseRetryAfter(header: string, now: number): number | undefined {
  const text = header.trim();
  if (/^\d+$/.test(text)) return bounded(Number(text) * 1000);
  // RFC 9110 has three forms of a date; Date.parse takes them all, and numbers too, which are none.
  const at = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(/GMT$/.test(text) ? text : `${text} GMT`) : Number.NaN;
  return bounded(at - now);
}

function bounded(ms: number): number | undefined {
  return ms > 0 ? Math.min(ms, mostMs) : undefined;
}
