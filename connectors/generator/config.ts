import { durationPattern, type Json, type JsonObject, type JsonSchema } from "../sdk/index.ts";

export interface GeneratorConfig {
  readonly rate?: number;
  readonly count?: number;
  readonly seed?: number;
  readonly template?: JsonObject;
  readonly size?: number;
  readonly faults?: {
    readonly malformed?: number;
    readonly duplicate?: number;
    readonly error_at?: readonly number[];
    readonly stall_at?: number;
    readonly delay?: string;
  };
}

const ratio = { type: "number", minimum: 0, maximum: 1 };

export const generatorConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  properties: {
    rate: { type: "number", minimum: 0, default: 0, description: "Records per second; 0 is as fast as it goes." },
    count: { type: "integer", minimum: 0, description: "Records in the stream; left out, it has no end." },
    seed: { type: "integer", default: 1, description: "The same seed gives the same records." },
    template: {
      type: "object",
      description:
        "A record with holes in its texts: {{ index }}, {{ int 1 100 }}, {{ float 0 1 }}, {{ bool }}, {{ uuid }}, " +
        "{{ word }}, {{ pick a b c }}, {{ time }}. A text that is one hole takes the hole's own type.",
    },
    size: {
      type: "integer",
      minimum: 0,
      maximum: 67_108_864,
      description: "Bytes of a record's JSON: smaller records are filled up by a field `padding`.",
    },
    faults: {
      type: "object",
      additionalProperties: false,
      description: "What goes wrong on purpose.",
      properties: {
        malformed: { ...ratio, description: "Share of records whose JSON is cut off in its middle." },
        duplicate: { ...ratio, description: "Share of records that repeat the one before." },
        error_at: {
          type: "array",
          items: { type: "integer", minimum: 0 },
          description: "Indexes before which reading fails as UNAVAILABLE, once for each.",
        },
        stall_at: { type: "integer", minimum: 0, description: "Index before which the source gives nothing more." },
        delay: { type: "string", pattern: durationPattern, description: "Wait before each batch, such as 20ms." },
      },
    },
  },
};

/** About 230 bytes a record. */
export const defaultTemplate: { readonly [name: string]: Json } = {
  id: "{{ index }}",
  email: "user{{ int 1 1000000 }}@example.com",
  name: "{{ word }} {{ word }}",
  status: "{{ pick active inactive pending }}",
  amount: "{{ float 0 1000 }}",
  quantity: "{{ int 1 100 }}",
  active: "{{ bool }}",
  address: { street: "{{ int 1 200 }} {{ word }} street", city: "{{ word }}", country: "{{ pick DE FR US JP }}" },
  created_at: "{{ time }}",
};
