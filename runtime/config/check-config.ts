import type { ConnectorType, Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { below, checkIntegration } from "./check.ts";
import { type ConnectorCheckContext, checkConnector } from "./check-connector.ts";
import type { CheckContext, Findings } from "./check-context.ts";
import { configSchema } from "./config-schema.ts";
import { items, object } from "./json-shape.ts";

export interface ConfigCheckContext
  extends ConnectorCheckContext,
    Pick<CheckContext, "checkCron" | "allConnectorsKnown"> {
  /** Connectors that exist besides those in the configuration, with their types' names. */
  readonly existing: ReadonlyMap<string, string>;
}

/** Everything that can be known of a whole configuration without running it, all at once. Never throws. */
export function checkConfig(config: Json, context: ConfigCheckContext): Findings {
  const errors = context.validator
    .compile(configSchema)(config)
    .filter(({ path }) => !/[.[]/.test(path));
  const warnings: FieldError[] = [];
  const { connectors, integrations } = object(config);
  errors.push(...findDoubles("connectors", connectors), ...findDoubles("integrations", integrations));

  const types = new Map(context.types.map((type) => [type.type, type]));
  const known = new Map<string, ConnectorType | null>();
  for (const [name, type] of context.existing) known.set(name, types.get(type) ?? null);
  items(connectors).forEach((connector, index) => {
    errors.push(...below(`connectors[${index}]`, checkConnector(connector, context)));
    const { name, type } = object(connector);
    if (typeof name === "string") known.set(name, types.get(type as string) ?? null);
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
