import { getRouteApi } from "@tanstack/react-router";
import type { DeadLettersSearch } from "./search.ts";

const route = getRouteApi("/signed-in/integrations/$id/dead-letters");

/** Goes to another view of the dead letters; back leads to the one before. */
export function useOpen(): (part: Partial<DeadLettersSearch>) => void {
  const navigate = route.useNavigate();
  return (part) => void navigate({ search: (former) => ({ ...former, ...part }) });
}
