import type { Connector, ConnectorType, Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedReference } from "../config/references.ts";
import type { FieldError } from "../errors/index.ts";
import type { ConnectorSnapshot } from "./connector-events.ts";

/** A connector type with where it comes from. */
export interface RegisteredType extends ConnectorType {
  /** The plugin that serves it; left out: it is built in. */
  readonly plugin?: string;
}

/** The connector types that this node knows: those that it comes with, and those of its plugins. */
export interface ConnectorRegistry {
  /** All versions of all types: sorted by name, the newest version first. */
  types(): readonly RegisteredType[];
  /** By `NAME`, or by `NAME@VERSION` with one to three parts of the version. */
  type(reference: string): RegisteredType | undefined;
  /** The same with other plugins' types. */
  with(pluginTypes: readonly RegisteredType[]): ConnectorRegistry;
  /**
   * Makes a connector of its stored form: secrets unsealed, references resolved, config validated. Does not connect.
   * Throws SluiceError: NOT_FOUND for an unknown type, VALIDATION_ERROR with paths below `config` otherwise.
   * The caller closes it. `resolved` is told of each reference and what it stood for. What a team's connector says is
   * cleared of that team's secrets alone.
   */
  open(row: OwnedSnapshot, resolved?: (reference: ResolvedReference) => void): Promise<Connector>;
  /** The config that `open` makes a connector of, secrets and all, unchecked. Throws NOT_FOUND for an unknown type. */
  configOf(row: ConnectorSnapshot): Promise<JsonObject>;
}

/** Left out, or null: the platform's. */
export type OwnedSnapshot = ConnectorSnapshot & { readonly owner?: string | null };

/** Seals what must not be read in the store; bound to the connector's id (additional data). */
export interface Sealer {
  /** Where the key-encryption key is, for people. */
  readonly provider: string;
  /** Name and version of the key that `seal` takes now. */
  current(): Promise<string>;
  /** Those of the key that it was sealed with. */
  keyVersion(sealed: Uint8Array): string;
  seal(connectorId: string, secrets: JsonObject): Promise<Uint8Array>;
  /** Throws SluiceError INTERNAL_ERROR where the key is not the one it was sealed with. */
  unseal(connectorId: string, sealed: Uint8Array): Promise<JsonObject>;
  /** The same secrets under the current key. They are not read. */
  rewrap(connectorId: string, sealed: Uint8Array): Promise<Uint8Array>;
  /** Makes a newer key; left out: that is others' to do. */
  renewKey?(): Promise<void>;
}

/** A compiled JSON Schema: all errors of a value, with field paths relative to it; none when it is valid. */
export type Validate = (value: Json) => readonly FieldError[];

/** Compiles JSON Schemas (2020-12); never changes the value, never coerces. */
export interface Validator {
  compile(schema: object | boolean): Validate;
  /** Names of the formats that are checked; others pass. Left out: not known. */
  readonly formats?: ReadonlySet<string>;
}
