import type { ConnectorType, Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { below, checkIntegration } from "./check.ts";
import { type ConnectorCheckContext, checkConnector } from "./check-connector.ts";
import type { CheckContext, Findings } from "./check-context.ts";
import { checkPlugin } from "./check-plugin.ts";
import { configSchema } from "./config-schema.ts";
import { findType } from "./connector-type.ts";
import { items, object } from "./json-shape.ts";

export interface ConfigCheckContext
  extends ConnectorCheckContext,
    Pick<CheckContext, "checkCron" | "allConnectorsKnown"> {
  /** Connectors that exist besides those in the configuration, with their types' names. */
  readonly existing: ReadonlyMap<string, string>;
  /** What plugins serve is not known: where a configuration names some, a type may be one of theirs. */
  readonly pluginsUnasked?: boolean;
}

/** Everything that can be known of a whole configuration without running it, all at once. Never throws. */
export function checkConfig(config: Json, context: ConfigCheckContext): Findings {
  const errors = context.validator
    .compile(configSchema)(config)
    .filter(({ path }) => !/[.[]/.test(path));
  const warnings: FieldError[] = [];
  const { plugins, connectors, integrations } = object(config);
  for (const [kind, list] of Object.entries({ plugins, connectors, integrations })) {
    errors.push(...findDoubles(kind, list));
  }
  items(plugins).forEach((plugin, index) => {
    errors.push(...below(`plugins[${index}]`, checkPlugin(plugin, context)));
  });

  const typeOf = (name: Json | undefined) => findType(context.types, String(name)) ?? null;
  const known = new Map<string, ConnectorType | null>();
  for (const [name, type] of context.existing) known.set(name, typeOf(type));
  const othersMayExist = context.pluginsUnasked === true && plugins !== undefined;
  items(connectors).forEach((connector, index) => {
    errors.push(...below(`connectors[${index}]`, checkConnector(connector, { ...context, othersMayExist })));
    const { name, type } = object(connector);
    if (typeof name === "string") known.set(name, typeOf(type));
  });

  items(integrations).forEach((integration, index) => {
    const found = checkIntegration(integration, { ...context, connectors: known });
    errors.push(...below(`integrations[${index}]`, found.errors));
    warnings.push(...below(`integrations[${index}]`, found.warnings));
  });
  return { errors, warnings };
}

/** Names are unique by kind: the second of a name is at fault. */
function findDoubles(kind: string, list: Json | undefined): FieldError[] {
  const first = new Map<Json, number>();
  return items(list).flatMap((item, index) => {
    const { name } = object(item);
    if (typeof name !== "string") return [];
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    return earlier === undefined
      ? []
      : [{ path: `${kind}[${index}].name`, message: `${name} is the name of ${kind}[${earlier}] already` }];
  });
}
