// Customers and orders of a shop's JSON API: a source with pages, incremental reading, a token, limits and spans.
import { apiSource } from "@sluice/connector-sdk/http";
import { servePlugin } from "@sluice/connector-sdk/serve";

const text = { type: "string", minLength: 1 };

await servePlugin(
  apiSource<{ url: string; token: string }>({
    type: "shop-api",
    version: "1.0.0",
    title: "Shop",
    description: "Customers and orders of the shop's API.",
    config: {
      type: "object",
      additionalProperties: false,
      required: ["url", "token"],
      properties: {
        url: { ...text, description: "Base URL of the API." },
        token: { ...text, description: "Access token of the shop.", writeOnly: true },
      },
    },
    api: ({ url, token }) => ({ baseUrl: url, auth: { type: "bearer", token }, perMinute: 60_000 }),
    streams: {
      orders: {
        path: "/orders",
        records: "data",
        paging: { by: "cursor", param: "after", path: "next", size: ["limit", 100] },
        key: ["id"],
        incremental: { field: "updated_at", param: "updated_since" },
      },
      customers: { path: "/customers", records: "", paging: { by: "link" }, key: ["id"] },
    },
  }),
);
