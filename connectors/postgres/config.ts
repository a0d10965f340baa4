import { ConnectorError, type JsonSchema } from "../sdk/index.ts";

export interface PostgresConfig {
  readonly url?: string;
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly ssl?: boolean | { readonly ca?: string; readonly verify?: boolean };
  readonly schema?: string;
  readonly queries?: { readonly [name: string]: string };
  readonly create_table?: boolean;
}

const parts = ["host", "port", "database", "user", "password"] as const;

export const postgresConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  properties: {
    url: {
      type: "string",
      pattern: "^postgres(ql)?://",
      writeOnly: true,
      description: "postgres://USER:PASSWORD@HOST:PORT/DATABASE, instead of host, port, database, user and password.",
    },
    host: { type: "string", minLength: 1, default: "127.0.0.1", description: "Name or address of the server." },
    port: { type: "integer", minimum: 1, maximum: 65_535, default: 5432, description: "Port of the server." },
    database: { type: "string", minLength: 1, description: "Database to connect to." },
    user: { type: "string", minLength: 1, description: "Role to connect as." },
    password: { type: "string", writeOnly: true, description: "The role's password." },
    ssl: {
      description: "true: TLS, with the server's certificate checked. An object says how it is checked.",
      type: ["boolean", "object"],
      additionalProperties: false,
      properties: {
        ca: { type: "string", description: "Certificates (PEM) that are trusted instead of the system's." },
        verify: { type: "boolean", default: true, description: "false takes any certificate." },
      },
    },
    schema: {
      type: "string",
      minLength: 1,
      description: "Schema of tables that are named without one; left out, the role's search_path decides.",
    },
    queries: {
      type: "object",
      description: "SQL queries by the stream's name under which a source or a lookup uses them.",
      additionalProperties: { type: "string", minLength: 1 },
    },
    create_table: {
      type: "boolean",
      default: false,
      description: "Whether a destination makes tables and columns that are missing.",
    },
  },
  if: { required: ["url"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: Object.fromEntries(parts.map((name) => [name, false])) },
  else: { required: ["database", "user"] },
};

/** How to reach the server: a config without optionals, whichever way it was written. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly ssl: false | { readonly rejectUnauthorized: boolean; readonly ca?: string };
  readonly schema: string | undefined;
  /** The path of the setting that gives a part: all of them `config.url` where there is a url. */
  pathOf(part: (typeof parts)[number] | "ssl"): string;
}

export function addressOf(config: PostgresConfig): Address {
  const { ssl = false, schema } = config;
  if (config.url === undefined) {
    return {
      host: config.host ?? "127.0.0.1",
      port: config.port ?? 5432,
      database: config.database ?? "",
      user: config.user ?? "",
      password: config.password ?? "",
      ssl: tlsOf(ssl),
      schema,
      pathOf: (part) => `config.${part}`,
    };
  }
  const { url, ...parts } = parseUrl(config.url);
  return {
    ...parts,
    ssl: tlsOf(config.ssl ?? sslModeOf(url)),
    schema,
    pathOf: (part) => (part === "ssl" && config.ssl !== undefined ? "config.ssl" : "config.url"),
  };
}

function tlsOf(ssl: NonNullable<PostgresConfig["ssl"]>): Address["ssl"] {
  if (ssl === false) return false;
  const { ca, verify = true } = ssl === true ? {} : ssl;
  return { rejectUnauthorized: verify, ...(ca === undefined ? {} : { ca }) };
}

function parseUrl(text: string): Pick<Address, (typeof parts)[number]> & { readonly url: URL } {
  try {
    const url = new URL(text);
    const user = decodeURIComponent(url.username);
    return {
      url,
      host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, "$1") || "127.0.0.1",
      port: Number(url.port || 5432),
      database: decodeURIComponent(url.pathname.slice(1)) || user,
      user,
      password: decodeURIComponent(url.password),
    };
  } catch {
    // The cause would quote the url, which holds the password.
    throw badUrl("is no URL: characters such as @, / or % in the password are written %40, %2F or %25");
  }
}

/** libpq's words: `require` does not check the certificate, `verify-full` does. */
function sslModeOf(url: URL): NonNullable<PostgresConfig["ssl"]> {
  for (const name of url.searchParams.keys()) {
    if (name !== "sslmode") throw badUrl("has a parameter other than sslmode; use the connector's own settings");
  }
  const mode = url.searchParams.get("sslmode") ?? "disable";
  if (mode === "disable") return false;
  if (mode === "require") return { verify: false };
  if (mode === "verify-full") return true;
  throw badUrl("has an sslmode other than disable, require or verify-full");
}

function badUrl(what: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", `The url ${what}.`, { fault: "destination", path: "config.url" });
}
