import { queryOptions } from "@tanstack/react-query";
import { api, type Page } from "./client.ts";
import { toProblem } from "./problem.ts";
import type { Connector, ConnectorTest, ConnectorType, Json, Stream } from "./types.ts";

export const connectorQuery = (id: string) =>
  queryOptions({
    queryKey: ["connector", id],
    queryFn: ({ signal }) => api.get<Connector>(`/v1/connectors/${id}`, {}, signal),
  });

/** The registry. A type's version goes by `type@1.2`, which the newest of that name stands for here. */
export const typesQuery = queryOptions({
  queryKey: ["connector-types"],
  queryFn: ({ signal }) => api.get<Page<ConnectorType>>("/v1/connector-types", {}, signal),
});

export const typeQuery = (type: string) =>
  queryOptions({
    queryKey: ["connector-type", type],
    queryFn: ({ signal }) => api.get<ConnectorType>(`/v1/connector-types/${encodeURIComponent(type)}`, {}, signal),
  });

/** By name: as many as a list of choices has room for. */
export const connectorsQuery = queryOptions({
  queryKey: ["connectors", "all"],
  queryFn: ({ signal }) => api.get<Page<Connector>>("/v1/connectors", { limit: 1000, sort: "name" }, signal),
});

/** What the far side has. It is asked anew whenever the connector has changed. */
export const streamsQuery = ({ id, version }: { readonly id: string; readonly version: number }) =>
  queryOptions({
    queryKey: ["streams", id, version],
    queryFn: async () => (await api.post<{ streams: Stream[] }>(`/v1/connectors/${id}/discover`)).streams,
    retry: false,
  });

export const sampleQuery = ({ id, version }: { readonly id: string; readonly version: number }, stream: string) =>
  queryOptions({
    queryKey: ["sample", id, version, stream],
    queryFn: async () =>
      (await api.post<{ records: Json[] }>(`/v1/connectors/${id}/sample`, undefined, { query: { stream, limit: 10 } }))
        .records,
    retry: false,
  });

/** A failure is an answer; that there was none is a failure, too. */
export async function testConnector(id: string): Promise<ConnectorTest> {
  try {
    return await api.post<ConnectorTest>(`/v1/connectors/${id}/test`);
  } catch (error) {
    const { code, message } = toProblem(error);
    return { status: "failed", latency_ms: 0, sample_record: null, error: { code, message } };
  }
}
