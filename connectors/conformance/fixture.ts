import type { ConnectorContext, DestinationMode, Json, JsonObject, SourceMode } from "../sdk/index.ts";

/** What the suite needs to try a connector type on its real far side. Made once, before the type's checks. */
export interface Fixture {
  readonly context: ConnectorContext;
  /** A config that works. */
  readonly config: JsonObject;
  /** Configs that the schema accepts and `check` refuses, with the path its error names. */
  readonly badConfigs: readonly { readonly config: JsonObject; readonly path: string }[];
  /** Configs whose credentials the far side refuses. */
  readonly badCredentials?: readonly JsonObject[];
  readonly source?: SourceFixture;
  readonly destination?: DestinationFixture;
  readonly lookup?: LookupFixture;
  close(): Promise<void>;
}

/** All that is configured in the course of a trial. */
export function configsOf({ config, badConfigs, badCredentials = [] }: Fixture): readonly JsonObject[] {
  return [config, ...badConfigs.map((each) => each.config), ...badCredentials];
}

export interface SourceFixture {
  readonly stream: string;
  readonly mode: SourceMode;
  readonly cursorField?: string;
  /** All records of the stream, in the order they are read; about 20 of different sizes, the largest under 2 kB. */
  readonly records: readonly Json[];
  /** A stream that is not there, with the path that the error of `openSource` names. */
  readonly missing?: { readonly stream: string; readonly path: string };
  /** A stream of so many records that a leak shows, and a config for it where it is another; left out: `stream`. */
  readonly large?: { readonly stream: string; readonly config?: JsonObject };
  /** A config with which the far side limits calls, or claims to. */
  readonly limited?: JsonObject;
  /** Gives the stream's records another shape on the far side. The last thing that happens to it. */
  drift?(): Promise<void>;
}

export interface DestinationFixture {
  readonly stream: string;
  readonly modes: readonly DestinationMode[];
  readonly key?: readonly string[];
  /** At least 6, distinct in their keys. */
  readonly records: readonly JsonObject[];
  /** What the far side holds now, in any order; left out: nobody can look. */
  stored?(): Promise<readonly Json[]>;
  /** Empties the far side, before each check. */
  clear(): Promise<void>;
  /** Modes in which a write that follows the state given to `openDestination` is undone or not repeated. */
  readonly exactlyOnce?: readonly DestinationMode[];
  /** A record that the far side refuses while it takes the others. */
  readonly refused?: JsonObject;
  /** A config with which the far side limits calls, or claims to. */
  readonly limited?: JsonObject;
}

export interface LookupFixture {
  readonly requests: readonly Json[];
  /** One a request. */
  readonly answers: readonly Json[];
  /** A request that fails while the others are answered. */
  readonly refused?: Json;
}
