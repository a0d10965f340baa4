import { httpContext, serve } from "../../tests/support/http-server.ts";
import { describeConnector } from "../conformance/index.ts";
import type { Json, JsonObject } from "../sdk/index.ts";
import { http } from "./index.ts";

const records: JsonObject[] = Array.from({ length: 23 }, (_, index) => ({
  id: index + 1,
  name: `Zoë "${index}"\n`,
  updated_at: `2024-05-01T10:00:${String(index).padStart(2, "0")}Z`,
  notes: "x".repeat((index * 67) % 1500),
}));
const token = "the-right-token";

/** Pages of 5, as an API might have them, and a place to write to. */
async function setup(batch: number, mode: "full" | "incremental") {
  const stored = new Map<Json, Json>();
  const take = (record: JsonObject): boolean => {
    if (record.name === "") return false;
    stored.set(record.id as Json, record);
    return true;
  };
  const server = await serve(({ method, path, query, headers, body }) => {
    if (headers.authorization !== `Bearer ${token}`) return { status: 401, body: { message: "who are you?" } };
    if (method === "GET" && path === "/api/people") {
      const since = query.get("since") ?? "";
      const found = records.filter((record) => (record.updated_at as string) >= since);
      const start = Number(query.get("offset"));
      return { body: { data: { people: found.slice(start, start + 5) }, total: found.length } };
    }
    if (path === "/api/landed" && batch > 1) {
      const taken = (JSON.parse(body) as { items: JsonObject[] }).items.map(take);
      return {
        status: 207,
        body: { results: taken.map((ok) => ({ status: ok ? 200 : 422, error: ok ? null : "no name" })) },
      };
    }
    if (path.startsWith("/api/landed")) {
      return take(JSON.parse(body) as JsonObject) ? { status: 201 } : { status: 422, body: { detail: "no name" } };
    }
    return { status: 404, body: "" };
  });
  const write =
    batch > 1
      ? {
          batch: { records: batch, body: { items: "{{ $.records }}" } },
          results: { path: "$.results", status: "$.status", message: "$.error" },
        }
      : {};
  const config: JsonObject = {
    base_url: `${server.url}/api`,
    auth: { type: "bearer", token },
    streams: {
      people: {
        records: "$.data.people",
        pagination: { type: "offset", size: 5, size_param: "limit", total_path: "$.total" },
        incremental: { param: "since" },
        key: ["id"],
      },
      landed: { append: write, upsert: { method: "PUT", ...write } },
    },
  };
  return {
    context: httpContext,
    config,
    badConfigs: [
      { config: { ...config, auth: { type: "bearer", token: "wrong" } }, path: "config.auth" },
      { config: { ...config, auth: { type: "none" } }, path: "config.auth" },
      { config: { ...config, base_url: "http://127.0.0.1:1/api" }, path: "config.base_url" },
      { config: { ...config, base_url: "http://no-such-host.invalid/api" }, path: "config.base_url" },
      { config: { ...config, base_url: "http://10.1.2.3/api" }, path: "config.base_url" },
      { config: { ...config, base_url: server.url.replace("http:", "https:") }, path: "config.tls" },
      { config: { ...config, streams: { people: { path: "/nothing" } } }, path: "source.stream" },
      { config: { ...config, streams: { people: { records: "$.no" } } }, path: "config.streams.people.records" },
      { config: { ...config, streams: { people: { records: "$.[" } } }, path: "config.streams.people.records" },
      {
        config: {
          ...config,
          streams: { people: { records: "$.data.people", pagination: { type: "cursor", cursor_path: "$.total" } } },
        },
        path: "config.streams.people.pagination",
      },
    ],
    source: {
      stream: "people",
      mode,
      ...(mode === "incremental" ? { cursorField: "updated_at" } : {}),
      records,
      missing: { stream: "peopel", path: "source.stream" },
    },
    destination: {
      stream: "landed",
      modes: ["append" as const, "upsert" as const],
      key: ["id"],
      exactlyOnce: ["append" as const, "upsert" as const],
      records: records.slice(0, 9),
      refused: { id: 99, name: "" },
      stored: async () => [...stored.values()],
      clear: async () => stored.clear(),
    },
    close: () => server.close(),
  };
}

describeConnector({ ...http, title: "HTTP, full, a record a request" }, () => setup(1, "full"));
describeConnector({ ...http, title: "HTTP, incremental, batches" }, () => setup(4, "incremental"));
