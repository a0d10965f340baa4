import path from "node:path";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { referenceResolver } from "../../adapters/secrets/index.ts";
import type { DestinationMode, Json, JsonObject, JsonSchema, SourceMode } from "../../connectors/sdk/index.ts";
import { resolveReferences } from "../../runtime/config/index.ts";
import { readConfigFile } from "../config-file.ts";
import { usageError } from "../exit.ts";

type Command = readonly [string, ...string[]];

/** What `--config` names: all that a plugin is tried with. docs/plugins-authoring.md says what each is for. */
export interface CertifyFile {
  readonly config: JsonObject;
  readonly bad_configs?: readonly { readonly set: JsonObject; readonly path: string }[];
  readonly bad_credentials?: readonly JsonObject[];
  readonly env?: Readonly<Record<string, string>>;
  readonly source?: {
    readonly stream: string;
    readonly mode?: SourceMode;
    readonly cursor_field?: string;
    readonly records?: number;
    readonly missing?: { readonly stream: string; readonly path: string } | false;
    readonly large?: { readonly stream?: string; readonly set?: JsonObject };
    readonly limited?: JsonObject;
    readonly drift?: Command;
  };
  readonly destination?: {
    readonly stream: string;
    readonly modes?: readonly DestinationMode[];
    readonly key?: readonly string[];
    readonly records: readonly JsonObject[];
    readonly exactly_once?: readonly DestinationMode[];
    readonly refused?: JsonObject;
    readonly limited?: JsonObject;
    readonly stored?: { readonly stream: string } | { readonly command: Command };
    readonly clear?: Command;
  };
  readonly lookup?: { readonly requests: readonly Json[]; readonly answers: readonly Json[]; readonly refused?: Json };
}

const text = { type: "string", minLength: 1 };
const command = { type: "array", items: { type: "string" }, minItems: 1 };
const set = { type: "object" };
const closed = (properties: JsonObject, required: string[] = []): JsonObject => ({
  type: "object",
  additionalProperties: false,
  properties,
  required,
});
const modes = (names: string[]) => ({ type: "array", items: { enum: names }, uniqueItems: true });
const written = modes(["append", "upsert", "replace"]);
const missing = { anyOf: [closed({ stream: text, path: text }, ["stream", "path"]), { const: false }] };

const schema: JsonSchema = closed(
  {
    config: { type: "object" },
    bad_configs: { type: "array", items: closed({ set, path: text }, ["set", "path"]) },
    bad_credentials: { type: "array", items: set },
    env: { type: "object", additionalProperties: { type: "string" } },
    source: closed(
      {
        stream: text,
        mode: { enum: ["full", "incremental"] },
        cursor_field: text,
        records: { type: "integer", minimum: 1, maximum: 1_000 },
        missing,
        large: closed({ stream: text, set }),
        limited: set,
        drift: command,
      },
      ["stream"],
    ),
    destination: closed(
      {
        stream: text,
        modes: written,
        key: { type: "array", items: text, minItems: 1 },
        records: { type: "array", items: { type: "object" }, minItems: 6 },
        exactly_once: written,
        refused: { type: "object" },
        limited: set,
        stored: { anyOf: [closed({ stream: text }, ["stream"]), closed({ command }, ["command"])] },
        clear: command,
      },
      ["stream", "records"],
    ),
    lookup: closed({ requests: { type: "array", minItems: 1 }, answers: { type: "array", minItems: 1 }, refused: {} }, [
      "requests",
      "answers",
    ]),
  },
  ["config"],
);

/** Throws a usage error that names what is wrong, with its place. */
export async function readCertifyFile(file: string): Promise<CertifyFile> {
  const read = readConfigFile(file);
  const errors =
    "errors" in read
      ? read.errors
      : createValidator()
          .compile(schema as object)(read.value)
          .map(({ path: at, message }) => ({ path: at, message }));
  if (errors.length > 0 || "errors" in read) {
    throw usageError(`${file}: ${errors.map(({ path: at, message }) => `${at && `${at}: `}${message}`).join("; ")}`);
  }
  const secretsDir = path.join(path.dirname(path.resolve(file)), "secrets");
  const found = (await resolveReferences(
    read.value,
    referenceResolver({ env: process.env, secretsDir }),
  )) as unknown as CertifyFile;
  const { destination, lookup } = found;
  if (destination?.stored && !destination.clear && !destination.stream.includes("{n}")) {
    throw usageError(`${file}: destination.stored needs destination.clear, or {n} in destination.stream`);
  }
  if (lookup && lookup.answers.length !== lookup.requests.length) {
    throw usageError(`${file}: lookup.answers: ${lookup.answers.length} for ${lookup.requests.length} requests`);
  }
  return found;
}
