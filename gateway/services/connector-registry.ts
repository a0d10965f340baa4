import type { ConnectorContext, ConnectorType, JsonObject } from "../../connectors/sdk/index.ts";
import {
  compareVersions,
  findType,
  joinSecrets,
  Redactor,
  type ResolvedReference,
  type ResolveReference,
  resolveReferences,
  splitSecrets,
  unknownType,
} from "../../runtime/config/index.ts";
import { joinPath, SluiceError } from "../../runtime/errors/index.ts";
import type { ConnectorSnapshot } from "../../runtime/ports/connector-events.ts";
import type { ConnectorRegistry, RegisteredType, Sealer, Validator } from "../../runtime/ports/connectors.ts";
import { redactedConnector } from "./redacted-connector.ts";

export interface ConnectorRegistryOptions {
  /** Those that sluice comes with. */
  readonly types: readonly ConnectorType[];
  /** Those of plugins, as they are at the moment; left out: none. */
  readonly pluginTypes?: () => readonly RegisteredType[];
  readonly context: ConnectorContext;
  readonly validator: Validator;
  readonly sealer: Pick<Sealer, "unseal">;
  readonly resolveReference: ResolveReference;
  /**
   * The node's: told of every secret that a connector is made of, and clears what connectors say of others'. Not what a
   * team's connectors say: who may send texts through one would see by what is taken out of them which secrets others
   * have.
   */
  readonly redactor?: Redactor;
  /** By team, its secrets. */
  readonly teams?: Map<string, Redactor>;
}

/** The connector types given, and connectors made of what the store keeps of them. */
export function createConnectorRegistry(options: ConnectorRegistryOptions): ConnectorRegistry {
  const { teams = new Map<string, Redactor>() } = options;
  const all = (): readonly RegisteredType[] => [...options.types, ...(options.pluginTypes?.() ?? [])];
  const byNameAndVersion = (a: ConnectorType, b: ConnectorType) =>
    a.type === b.type ? compareVersions(b.version, a.version) : a.type < b.type ? -1 : 1;

  return {
    types: () => all().toSorted(byNameAndVersion),
    type: (reference) => findType(all(), reference),
    with: (pluginTypes) => createConnectorRegistry({ ...options, teams, pluginTypes: () => pluginTypes }),

    async open(row, resolved) {
      const type = typeOf(row.type);
      const others = row.owner ? teamOf(row.owner) : options.redactor;
      const own = new Redactor({ others });
      const config = await wholeConfig(type, row, own, resolved, others);
      try {
        const errors = options.validator
          .compile(type.config as object | boolean)(config)
          .map(({ path, message }) => ({ path: joinPath("config", path), message }));
        if (errors.length > 0) {
          throw new SluiceError("VALIDATION_ERROR", `${errors[0]!.path}: ${errors[0]!.message}`, errors);
        }
        const context = { ...options.context, connectorId: row.id, redact: own.redact };
        return redactedConnector(type.create(config, context), own);
      } catch (error) {
        throw own.redactError(error);
      }
    },

    configOf: (row) => wholeConfig(typeOf(row.type), row, new Redactor()),
  };

  function teamOf(owner: string): Redactor {
    const known = teams.get(owner) ?? new Redactor({ shortest: 6 });
    teams.set(owner, known);
    return known;
  }

  function typeOf(reference: string): RegisteredType {
    const type = findType(all(), reference);
    if (type === undefined) throw new SluiceError("NOT_FOUND", unknownType(all(), reference));
    return type;
  }

  /** Invariant 7: the secrets are whole from here on, in the connector and nowhere else. */
  async function wholeConfig(
    type: ConnectorType,
    row: ConnectorSnapshot,
    own: Redactor,
    resolved?: (reference: ResolvedReference) => void,
    others?: Redactor,
  ): Promise<JsonObject> {
    const secrets = row.sealed === null ? {} : await options.sealer.unseal(row.id, row.sealed);
    const joined = joinSecrets(type.config, row.config, secrets);
    const config = (await resolveReferences(joined, async (scheme, argument) => {
      const value = await options.resolveReference(scheme, argument);
      for (const redactor of [own, others, options.redactor]) redactor?.add(value);
      resolved?.({ scheme, argument, value });
      return value;
    })) as JsonObject;
    const cut = splitSecrets(type.config, config).secrets;
    for (const redactor of [own, others, options.redactor]) redactor?.addAll(cut);
    return config;
  }
}
