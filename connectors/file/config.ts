import type { JsonSchema } from "../sdk/index.ts";

export type Format = "ndjson" | "json" | "csv";

export interface FileConfig {
  readonly path: string;
  readonly format?: Format;
  readonly compression?: "none" | "gzip" | "auto";
  readonly create?: boolean;
}

export const fileConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["path"],
  properties: {
    path: {
      type: "string",
      minLength: 1,
      description: "The folder. A relative one is taken from where sluice was started.",
    },
    format: {
      enum: ["ndjson", "json", "csv"],
      description:
        "ndjson: a JSON text on each line. json: one array of records. csv: with a header line. Left out, the name's " +
        "ending decides (.json, .csv), and any other is ndjson.",
    },
    compression: {
      enum: ["none", "gzip", "auto"],
      default: "auto",
      description: "auto: read by the file's first bytes, written by its ending .gz.",
    },
    create: { type: "boolean", default: false, description: "Make the folder when it is missing." },
  },
};

/** The format of a file by the config, else by its name. */
export function formatOf(config: FileConfig, name: string): Format {
  if (config.format !== undefined) return config.format;
  const ending = /\.(json|csv)(\.gz)?$/i.exec(name)?.[1]?.toLowerCase();
  return (ending as "json" | "csv" | undefined) ?? "ndjson";
}

/** Whether a file is written compressed. */
export function isWrittenGzip(config: FileConfig, name: string): boolean {
  const { compression = "auto" } = config;
  return compression === "auto" ? /\.gz$/i.test(name) : compression === "gzip";
}
