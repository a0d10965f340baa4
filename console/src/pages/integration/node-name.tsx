import { getRouteApi, Link } from "@tanstack/react-router";
import type { GraphNode } from "../../api/types.ts";

const route = getRouteApi("/signed-in/integrations/$id");

/** A node's name; of a map step it leads to its rules. */
export function NodeName({ node: { kind, type, name } }: { readonly node: GraphNode }) {
  const { id } = route.useParams();
  if (kind !== "step" || type !== "map") return name;
  return (
    <Link to="/integrations/$id/mapping" params={{ id }} search={{ step: name }} className="nopan" title="To its rules">
      {name}
    </Link>
  );
}
