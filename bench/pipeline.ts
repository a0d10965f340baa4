import { open } from "node:fs/promises";
import type { JsonObject } from "../connectors/sdk/index.ts";

/** 8 rules (one cast, one template, one condition) behind a filter that lets nine of ten records pass. */
export const filterAndMap = {
  mapping_spec: [
    { source: "$.id", destination: "id", cast: "integer" },
    { source: "$.name", destination: "name" },
    { source: "$.email", destination: "email" },
    { source: "$.amount", destination: "amount" },
    { source: "$.created_at", destination: "created_at" },
    { source: "$.address.city", destination: "city" },
    { template: "{{ $.name }} <{{ $.email }}>", destination: "label" },
    { source: "$.status", destination: "status", when: "$.amount > 10" },
  ],
  pipeline_spec: {
    steps: [
      { id: "active", type: "filter", where: "$.status == 'active'" },
      { id: "map", type: "map" },
    ],
  },
};

/** So many rules of the dearer kinds over the same records: casts to timestamp, templates, wildcards, patterns. */
export function heavyRules(count: number): JsonObject[] {
  const kinds = [
    { source: "$.created_at", cast: "timestamp" },
    { template: "{{ $.name | trim | upper }} <{{ $.email | lower }}>" },
    { source: "$.id", when: "match($.email, '.*@example\\\\.com') && $.tags[?@ == 'b']" },
    { source: "$.address.*" },
    { source: "$.created_at", cast: "date" },
  ];
  return Array.from({ length: count }, (_, i) => ({ ...kinds[i % kinds.length], destination: `field_${i}` }));
}

/** Records of about 230 bytes for the same rules, as a generator's template. */
export const template = {
  id: "{{ index }}",
  name: "{{ word }} {{ word }}",
  email: "user{{ int 1 1000000 }}@example.com",
  status: "{{ pick active active active active active active active active active inactive }}",
  amount: "{{ float 0 1000 }}",
  created_at: "{{ time }}",
  address: { city: "Berlin", zip: "10115", street: "Some Street 12" },
  tags: ["a", "b"],
};

/** A record of 230 bytes, its newline included. */
export function lineOf(id: number): string {
  const record = {
    id,
    name: `user ${id}`,
    email: `user${id}@example.com`,
    status: id % 10 === 0 ? "inactive" : "active",
    amount: (id % 100_000) / 4,
    created_at: "2026-01-02T03:04:05Z",
    address: { city: "Berlin", zip: "10115", street: "Some Street 12" },
    tags: ["a", "b"],
    note: "",
  };
  const text = JSON.stringify(record);
  return `${text.slice(0, -2)}${"x".repeat(Math.max(0, 229 - text.length))}"}\n`;
}

/** What passes of `records` lines. */
export function passing(records: number): number {
  return records - Math.ceil(records / 10);
}

/** An NDJSON file of so many records; the same ones each time. */
export async function writeInput(path: string, records: number): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (let id = 0; id < records; ) {
      let text = "";
      for (const end = Math.min(records, id + 10_000); id < end; id++) text += lineOf(id);
      await file.write(text);
    }
    // Not to be written back while something is measured.
    await file.sync();
  } finally {
    await file.close();
  }
}
