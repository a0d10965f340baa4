import type { IncomingHttpHeaders } from "node:http";

/** Of all names together, and their values. */
const maxBytes = 4_096;

/** What a sender says of its event; what proves it, and what proxies add, stays behind. */
const kept =
  /^(content-type$|user-agent$|idempotency-key$|x-|webhook-id$|webhook-timestamp$|svix-id$|svix-timestamp$|ce-)/;
const left = /signature|token|secret|auth|api-?key|password|cookie|^x-(forwarded|real|request-id)/;

/** The headers of a request that go along with its record, as `meta.headers`. */
export function metaHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const chosen: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string" || !kept.test(name) || left.test(name)) continue;
    bytes += name.length + value.length;
    if (bytes > maxBytes) break;
    chosen[name] = value;
  }
  return chosen;
}
