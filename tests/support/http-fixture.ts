import type { Fixture } from "../../connectors/conformance/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { httpContext, serve } from "./http-server.ts";

const records: JsonObject[] = Array.from({ length: 23 }, (_, index) => ({
  id: index + 1,
  name: `Zoë "${index}"\n`,
  updated_at: `2024-05-01T10:00:${String(index).padStart(2, "0")}Z`,
  notes: "x".repeat((index * 67) % 1500),
}));
const token = "the-right-token";

/** Pages of 5, as an API might have them, a place to write to, and the same below /limited with every other call refused. */
export async function httpFixture(batch: number, mode: "full" | "incremental"): Promise<Fixture> {
  const stored = new Map<Json, Json>();
  const take = (record: JsonObject): boolean => {
    if (record.name === "") return false;
    stored.set(record.id as Json, record);
    return true;
  };
  let calls = 0;
  let people = records;
  const server = await serve(({ method, path: asked, query, headers, body }) => {
    if (asked.startsWith("/limited") && calls++ % 2 === 0) return { status: 429, headers: { "retry-after": "0" } };
    const path = asked.replace("/limited", "");
    if (headers.authorization !== `Bearer ${token}`) return { status: 401, body: { message: "who are you?" } };
    if (method === "GET" && path === "/api/people") {
      const since = query.get("since") ?? "";
      const found = people.filter((record) => (record.updated_at as string) >= since);
      const start = Number(query.get("offset"));
      return { body: { data: { people: found.slice(start, start + 5) }, total: found.length } };
    }
    if (path === "/api/many") {
      const start = Number(query.get("offset"));
      const one = (_: unknown, id: number) => ({ id: start + id, name: `one of many, number ${start + id}` });
      return { body: { data: { people: start < 500_000 ? Array.from({ length: 500 }, one) : [] } } };
    }
    if (path === "/api/person/7") return { body: records[6]! };
    if (path === "/api/person/0") return { status: 422, body: { detail: "there is no 0" } };
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
      many: { records: "$.data.people", pagination: { type: "offset", size: 500, size_param: "limit" } },
      landed: { append: write, upsert: { method: "PUT", ...write } },
    },
  };
  return {
    context: httpContext,
    config,
    badCredentials: [{ ...config, auth: { type: "bearer", token: "wrong" } }],
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
      large: { stream: "many" },
      limited: { ...config, base_url: `${server.url}/limited/api` },
      drift: async () => {
        people = records.map((record) => ({ ...record, colour: "red", name: [record.name as Json] }));
      },
      missing: { stream: "peopel", path: "source.stream" },
    },
    destination: {
      stream: "landed",
      modes: ["append" as const, "upsert" as const],
      key: ["id"],
      exactlyOnce: ["append" as const, "upsert" as const],
      records: records.slice(0, 9),
      limited: { ...config, base_url: `${server.url}/limited/api` },
      refused: { id: 99, name: "" },
      stored: async () => [...stored.values()],
      clear: async () => stored.clear(),
    },
    lookup: {
      requests: [{ path: "/person/7" }, { path: "/person/8" }],
      answers: [records[6]!, null],
      refused: { path: "/person/0" },
    },
    close: () => server.close(),
  };
}
