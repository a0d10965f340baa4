import type { Metadata } from "@grpc/grpc-js";
import type { Correlation } from "../correlation.ts";

/** What a call's metadata says of the request that set it going. */
export function correlationOf({ metadata }: { readonly metadata: Metadata }): Correlation | undefined {
  const text = (name: string) => metadata.get(name)[0]?.toString();
  const requestId = text("x-request-id");
  const traceparent = text("traceparent");
  const actor = decoded(text("x-sluice-actor"));
  const owner = decoded(text("x-sluice-owner"));
  const correlation = {
    ...(requestId !== undefined && { requestId }),
    ...(traceparent !== undefined && { traceparent }),
    ...(actor !== undefined && { actor }),
    ...(owner !== undefined && { owner }),
  };
  return Object.keys(correlation).length === 0 ? undefined : correlation;
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
