import type { ConnectorType, Json, JsonObject } from "../connectors/sdk/index.ts";
import { findType, redacted, typeName } from "../runtime/config/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import { type Client, createClient, ProblemError } from "./client.ts";
import { connectorTypes } from "./connector-types.ts";
import { CommandError, exitCode } from "./exit.ts";

/** A server that does not answer is not what these commands are about. */
const patienceMs = 5_000;

/** A type that a server's plugin serves, as the API describes it. */
interface ServerType extends Omit<ConnectorType, "capabilities" | "create"> {
  readonly plugin: string | null;
  readonly capabilities: Omit<ConnectorType["capabilities"], "source"> & {
    readonly source?: Pick<NonNullable<ConnectorType["capabilities"]["source"]>, "modes" | "endless"> & {
      readonly own_cursor: boolean;
    };
  };
}

export interface KnownTypes {
  readonly types: readonly ConnectorType[];
  /** Why a server was not asked for those that are in none of the files; left out: it was, or there are none. */
  readonly unasked?: string;
}

/**
 * The types that sluice comes with; and where a configuration names others and brings no plugins along, those of the
 * server's plugins, if one answers.
 */
export async function knownTypes(config: JsonObject): Promise<KnownTypes> {
  const strange = config.plugins === undefined ? strangeTypes(config) : [];
  if (strange.length === 0) return { types: connectorTypes };
  try {
    const found = await Promise.all(strange.map((reference) => typeOf(createClient(), reference)));
    return { types: [...connectorTypes, ...found.filter((each) => each !== undefined)] };
  } catch (error) {
    return { types: connectorTypes, unasked: messageOf(error) };
  }
}

/** Types of the files' connectors that sluice does not come with, versions as they are pinned. */
function strangeTypes({ connectors }: JsonObject): string[] {
  const named = Array.isArray(connectors) ? connectors : [];
  const references = named.flatMap((each) => {
    const { type } = (each ?? {}) as { type?: Json };
    return typeof type === "string" && type !== "" && !findType(connectorTypes, typeName(type)) ? [type] : [];
  });
  return [...new Set(references)];
}

async function typeOf(client: Client, reference: string): Promise<ConnectorType | undefined> {
  const found = await ask<ServerType>(client, `/v1/connector-types/${encodeURIComponent(reference)}`);
  if (found === undefined) return undefined;
  const { source, ...rest } = found.capabilities;
  return {
    ...found,
    capabilities: {
      ...rest,
      ...(source && {
        source: { modes: source.modes, ownCursor: source.own_cursor, endless: source.endless === true },
      }),
    },
    create: () => {
      throw new CommandError(`type ${found.type} runs on the server`, exitCode.failed);
    },
  };
}

/** The plugin of the server that serves a type, as it is registered there. Throws where it cannot be had from here. */
export async function serverPlugin(reference: string): Promise<JsonObject | undefined> {
  const client = createClient();
  const found = await ask<ServerType>(client, `/v1/connector-types/${encodeURIComponent(reference)}`);
  if (found === undefined || found.plugin === null) return undefined;
  const plugin = await ask<JsonObject>(client, `/v1/plugins/${encodeURIComponent(found.plugin)}`);
  if (plugin === undefined) return undefined;
  const fields = ["name", "command", "address", "memory", "env", "tls"];
  const spec = Object.fromEntries(Object.entries(plugin).filter(([name]) => fields.includes(name)));
  if (!JSON.stringify(spec).includes(JSON.stringify(redacted))) return spec;
  const message = `plugin ${found.plugin} has secrets that stay on the server: apply the configuration and preview the integration there, by its name`;
  throw new CommandError(`type ${reference}: ${message}`, exitCode.failed);
}

/** Undefined: there is no such thing. */
async function ask<T>(client: Client, path: string): Promise<T | undefined> {
  try {
    return await client.call<T>("GET", path, undefined, AbortSignal.timeout(patienceMs));
  } catch (error) {
    if (error instanceof ProblemError && error.status === 404) return undefined;
    throw error;
  }
}
