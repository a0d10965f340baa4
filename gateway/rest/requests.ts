import type { Part } from "../../runtime/config/index.ts";
import type { RouteRequest } from "./route.ts";

export const paging: Record<string, Part> = {
  limit: { type: "integer", minimum: 1, maximum: 1_000, default: 50, description: "Most items of a page." },
  cursor: { type: "string", minLength: 1, description: "`next_cursor` of the page before." },
};

export const page = ({ query }: RouteRequest) => ({
  limit: query.limit as number,
  cursor: (query.cursor ?? null) as string | null,
});
export const text = ({ query }: RouteRequest, name: string) => (query[name] ?? null) as string | null;
export const flag = ({ query }: RouteRequest, name: string) => (query[name] ?? null) as boolean | null;
export const id = ({ params }: RouteRequest) => params.id!;

export const ok = (description: string, schema: Part) => ({ status: 200, description, schema });
