import type { ConnectorContext, ConnectorType } from "../../connectors/sdk/index.ts";
import { joinSecrets, type ResolveReference, resolveReferences } from "../../runtime/config/index.ts";
import { joinPath, SluiceError, unknownName } from "../../runtime/errors/index.ts";
import type { ConnectorRegistry, Sealer, Validator } from "../../runtime/ports/connectors.ts";

export interface ConnectorRegistryOptions {
  readonly types: readonly ConnectorType[];
  readonly context: ConnectorContext;
  readonly validator: Validator;
  readonly sealer: Sealer;
  readonly resolveReference: ResolveReference;
}

/** The connector types given, and connectors made of what the store keeps of them. */
export function createConnectorRegistry(options: ConnectorRegistryOptions): ConnectorRegistry {
  const types = options.types.toSorted((a, b) => (a.type < b.type ? -1 : 1));
  const byName = new Map(types.map((type) => [type.type, type]));

  return {
    types: () => types,
    type: (name) => byName.get(name),

    async open(row) {
      const type = byName.get(row.type);
      if (type === undefined)
        throw new SluiceError("NOT_FOUND", unknownName("connector type", row.type, [...byName.keys()]));
      const secrets = row.sealed === null ? {} : await options.sealer.unseal(row.id, row.sealed);
      // Invariant 7: the secrets are whole from here on, in the connector and nowhere else.
      const config = await resolveReferences(joinSecrets(type.config, row.config, secrets), options.resolveReference);
      const errors = options.validator
        .compile(type.config as object | boolean)(config)
        .map(({ path, message }) => ({ path: joinPath("config", path), message }));
      if (errors.length > 0) {
        throw new SluiceError("VALIDATION_ERROR", `${errors[0]!.path}: ${errors[0]!.message}`, errors);
      }
      return type.create(config, options.context);
    },
  };
}
