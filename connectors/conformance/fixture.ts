import type { ConnectorContext, DestinationMode, Json, JsonObject, SourceMode } from "../sdk/index.ts";

/** What the suite needs to try a connector type on its real far side. Made once, before the type's tests. */
export interface Fixture {
  readonly context: ConnectorContext;
  /** A config that works. */
  readonly config: JsonObject;
  /** Configs that the schema accepts and `check` refuses, with the path its error names. */
  readonly badConfigs: readonly { readonly config: JsonObject; readonly path: string }[];
  readonly source?: SourceFixture;
  readonly destination?: DestinationFixture;
  close(): Promise<void>;
}

export interface SourceFixture {
  readonly stream: string;
  readonly mode: SourceMode;
  readonly cursorField?: string;
  /** All records of the stream, in the order they are read; about 20 of different sizes, the largest under 2 kB. */
  readonly records: readonly Json[];
  /** A stream that is not there, with the path that the error of `openSource` names. */
  readonly missing?: { readonly stream: string; readonly path: string };
}

export interface DestinationFixture {
  readonly stream: string;
  readonly modes: readonly DestinationMode[];
  readonly key?: readonly string[];
  /** At least 6, distinct in their keys. */
  readonly records: readonly JsonObject[];
  /** What the far side holds now, in any order. */
  stored(): Promise<readonly Json[]>;
  /** Empties the far side, before each test. */
  clear(): Promise<void>;
  /** Modes in which a write that follows the state given to `openDestination` is undone or not repeated. */
  readonly exactlyOnce?: readonly DestinationMode[];
  /** A record that the far side refuses while it takes the others. */
  readonly refused?: JsonObject;
}
