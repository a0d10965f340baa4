// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { checkConfig } from "../../runtime/config/index.ts";
import {
  batchOf,
  connect,
  cursorAfter,
  openDestination,
  readBatches,
  recordsIn,
  serveHere,
} from "../../tests/support/http-server.ts";
import type { Json, JsonObject } from "../sdk/index.ts";
import { http } from "./index.ts";

const page = readFileSync(new URL("../../docs/connectors/http.md", import.meta.url), "utf8");
const examples = Array.from(
  page.matchAll(/^```yaml\n(.*?)^```$/gms),
  ([, text]) => parse(text as string) as JsonObject,
);

/** A connector of the page, at a server of the test and with its secrets in place. */
function configOf(name: string, url: string): JsonObject {
  const all = examples.flatMap(({ connectors }) => connectors as JsonObject[]);
  const { config } = all.find((connector) => connector.name === name) as { config: JsonObject };
  const text = JSON.stringify(config).replace(/https:\/\/[a-z.]+example\.com/g, url);
  return JSON.parse(text.replace(/\$\{env:\w+\}/g, "the-secret")) as JsonObject;
}

test("every example on the page is a valid configuration", () => {
  expect(examples).toHaveLength(4);
  for (const example of examples) {
    const { errors } = checkConfig(example, {
      validator: createValidator(),
      types: [http as never],
      existing: new Map(),
      allConnectorsKnown: true,
      checkCron: () => undefined,
    });
    expect(errors).toEqual([]);
  }
});

test("the first example reads pages by cursor, incrementally, and upserts batches", async () => {
  const contacts = Array.from({ length: 250 }, (_, id) => ({
    id,
    updated_at: `2024-05-01T10:00:${String(id % 60).padStart(2, "0")}Z`,
  }));
  const server = await serveHere(({ method, path, query, headers, body }) => {
    if (path === "/oauth/token") return { body: { access_token: "token", expires_in: 3600 } };
    if (headers.authorization !== "Bearer token") return { status: 401, body: "" };
    if (method === "POST") {
      const { contacts: given } = JSON.parse(body) as { contacts: { id: number }[] };
      return { body: { results: given.map(({ id }) => (id === 7 ? { status: 422, error: "no" } : { status: 200 })) } };
    }
    const found = contacts.filter(({ updated_at }) => updated_at >= (query.get("updated_since") ?? ""));
    const at = Number(query.get("cursor") ?? 0);
    const limit = Number(query.get("limit"));
    return {
      body: { data: found.slice(at, at + limit), meta: { next: at + limit < found.length ? at + limit : null } },
    };
  });
  const connector = connect(configOf("crm", server.url));
  const options = { mode: "incremental" as const, cursorField: "updated_at" };
  const batches = await readBatches(connector, "contacts", options);
  expect(recordsIn(batches)).toEqual(contacts);
  expect(await readBatches(connector, "contacts", { ...options, from: cursorAfter(batches) })).toEqual([]);
  const destination = await openDestination(connector, "contacts", { mode: "upsert", key: ["id"] });
  const { failed } = await destination.write(batchOf(contacts));
  expect(failed).toEqual([{ index: 7, code: "BUSINESS_RULE", message: "no." }]);
});

test("the second example writes a comment to the ticket's own path", async () => {
  const server = await serveHere(() => ({ status: 201 }));
  const destination = await openDestination(connect(configOf("tickets", server.url)), "comments");
  await destination.write(batchOf([{ ticket: "A/7", author: "Ada", text: 'so "it" is', public: true }]));
  expect(server.asked[0]).toMatchObject({
    method: "POST",
    path: "/tickets/A%2F7/comments",
    headers: { "x-api-key": "the-secret", "x-source": "sluice", "x-request-id": "id-0" },
  });
  expect(JSON.parse(server.asked[0]!.body)).toEqual({ text: 'Ada: so "it" is', public: true });
});

test("the third example looks a country up", async () => {
  const server = await serveHere(({ path, query }) => ({ body: { path, lang: query.get("lang") } }));
  const connector = connect(configOf("geo", server.url));
  const { answers } = await connector.lookup!(
    [{ path: "/countries/de", query: { lang: "en" } }],
    new AbortController().signal,
  );
  expect(answers).toEqual([{ path: "/v1/countries/de", lang: "en" }]);
});

test("the fourth example writes batches of events", async () => {
  const server = await serveHere(() => ({ status: 202 }));
  const destination = await openDestination(connect(configOf("bus", server.url)), "orders");
  await destination.write(batchOf([{ id: 1 }, { id: 2 }]));
  const [asked] = server.asked;
  expect(asked?.headers["content-type"]).toBe("application/cloudevents-batch+json");
  expect((JSON.parse(asked!.body) as { subject: Json }[]).map(({ subject }) => subject)).toEqual(["1", "2"]);
});
