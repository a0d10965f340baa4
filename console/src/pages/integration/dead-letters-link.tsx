import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { DeadLettersSearch } from "../dead-letters/search.ts";

/** To the dead letters of an integration, or to some of them. */
export function DeadLettersLink({
  id,
  filter = {},
  children,
}: {
  readonly id: string;
  readonly filter?: DeadLettersSearch;
  readonly children: ReactNode;
}) {
  return (
    <Link to="/integrations/$id/dead-letters" params={{ id }} search={filter}>
      {children}
    </Link>
  );
}
