import { integrationSchema } from "./integration-schema.ts";
import { pluginSchema } from "./plugin-schema.ts";
import { closed, list, name, type Part } from "./schema-parts.ts";

/** A connector as it is configured; `config` is checked against its type's own schema. */
export const connectorSchema: Part = closed(
  "A configured instance of a connector type.",
  {
    name: name("Unique among connectors."),
    type: {
      type: "string",
      minLength: 1,
      description: "Connector type, such as postgres; a version may be pinned: crm@1, crm@1.2, crm@1.2.0.",
    },
    config: { type: "object", description: "Settings of the type, secrets among them.", default: {} },
  },
  ["name", "type"],
);

/** The configuration file, and the body of POST /v1/apply. */
export const configSchema: Part = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "sluice configuration",
  ...closed("Connectors and the integrations that use them; plugins that serve further types.", {
    plugins: list("Plugins.", pluginSchema),
    connectors: list("Connectors.", connectorSchema),
    integrations: list("Integrations.", integrationSchema),
  }),
};
