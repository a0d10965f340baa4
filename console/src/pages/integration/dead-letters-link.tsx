import type { ReactNode } from "react";

interface Filter {
  readonly run_id?: string;
  readonly fingerprint?: string;
  readonly resolved?: "true" | "false";
}

/** To the dead letters of an integration, or to some of them. */
export function DeadLettersLink({
  id,
  filter = {},
  children,
}: {
  readonly id: string;
  readonly filter?: Filter;
  readonly children: ReactNode;
}) {
  return <a href={`/integrations/${id}/dead-letters${query(filter)}`}>{children}</a>;
}

function query(filter: Filter): string {
  const text = new URLSearchParams({ ...filter }).toString();
  return text === "" ? "" : `?${text}`;
}
