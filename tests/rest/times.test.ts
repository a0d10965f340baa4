import { expect, test } from "vitest";
import { routes } from "../../gateway/rest/routes.ts";
import type { Part } from "../../runtime/config/index.ts";
import { type Api, integration, startApi } from "./support.ts";

/** RFC 3339 takes them, and so does the schema. */
const impossible = [
  "2016-12-31T23:59:60Z",
  "0000-01-01T00:00:00Z",
  "0001-01-01T00:00:00+10:00",
  "9999-12-31T23:59:59-10:00",
];
const possible = ["0001-01-01T00:00:00Z", "2026-11-22T06:00:00.123456+01:00", "9999-12-31T23:59:59.999Z"];

interface Place {
  readonly name: string;
  readonly where: string;
  readonly ask: (api: Api, time: string) => ReturnType<Api["call"]>;
}

/** Wherever a route takes a time. */
function places(integrationId: string): Place[] {
  const times = (fields: object = {}) =>
    Object.entries(fields as Record<string, Part>).flatMap(([name, { format }]) =>
      format === "date-time" ? [name] : [],
    );
  // What replaces may hold what was read, which is not looked at.
  return routes.flatMap(({ method, path, query, body: given }) => {
    const body = method === "PUT" ? undefined : given;
    const url = path.replace("{id}", integrationId).replace("{record}", "0123456789abcdef0123456789abcdef");
    const where = `${method} ${path}`;
    const required = path === "/v1/api-keys" ? { name: "times", role: "viewer" } : {};
    return [
      ...times(query).map((name) => ({
        ...{ name, where },
        ask: ({ call }: Api, time: string) => call(method, `${url}?${name}=${encodeURIComponent(time)}`),
      })),
      ...times(body?.properties as object).map((name) => ({
        ...{ name, where },
        ask: ({ call }: Api, time: string) => call(method, url, { ...required, [name]: time }),
      })),
    ];
  });
}

test("a time that no clock has is refused with 400 by every route that takes one, and a NUL is no failure", async () => {
  const api = await startApi();
  for (const [name, type] of Object.entries({ files: "blackhole", numbers: "generator" })) {
    await api.call("POST", "/v1/connectors", { name, type });
  }
  const spec = { source: { connector: "numbers", stream: "a" }, destination: { connector: "files", stream: "b" } };
  const made = await api.call("POST", "/v1/integrations", integration(spec));
  const found = places(made.body.id);
  expect(new Set(found.map(({ where }) => where))).toEqual(
    new Set([
      ...["GET /v1/integrations/{id}/runs", "GET /v1/audit-log", "POST /v1/api-keys"],
      ...["GET /v1/integrations/{id}/dead-letter", "GET /v1/integrations/{id}/dead-letter/groups"],
      ...["POST /v1/integrations/{id}/dead-letter/replay-all", "POST /v1/integrations/{id}/dead-letter/dry-run"],
      "GET /v1/integrations/{id}/records/{record}",
    ]),
  );
  for (const { name, where, ask } of found) {
    for (const time of impossible) {
      const { status, body } = await ask(api, time);
      expect({ where, time, status, errors: body.errors }).toEqual({
        ...{ where, time, status: 400 },
        errors: [{ path: name, message: "is no time" }],
      });
    }
    for (const time of possible) {
      const { status } = await ask(api, time);
      expect({ where, name, time, status }).not.toMatchObject({ status: 500 });
    }
  }
  for (const { method, path, query = {} } of routes) {
    if (method !== "GET") continue;
    for (const [name, { type, format, enum: among }] of Object.entries(query)) {
      if (type !== "string" || format !== undefined || among !== undefined) continue;
      const { status } = await api.call(method, `${path.replace("{id}", made.body.id)}?${name}=a%00b`);
      expect({ path, name, status }).not.toMatchObject({ status: 500 });
    }
  }
});
