import type { ConnectorType, JsonObject } from "../../connectors/sdk/index.ts";
import type { RegisteredType } from "./connectors.ts";
import type { Page, PageOptions } from "./page.ts";

/** What a plugin says that it is. */
export type TypeDescription = Omit<ConnectorType, "create">;

/** A plugin as it is registered. */
export interface PluginRow {
  readonly id: string;
  readonly name: string;
  /** As configured, without `name` and without its secrets. */
  readonly spec: JsonObject;
  /** The secrets, sealed with the id. */
  readonly sealed: Uint8Array | null;
  /** As it said last; null before it was asked. */
  readonly serves: TypeDescription | null;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** ConflictError where the name, or the version of the type, has a plugin already, or `version` does not match. */
export interface PluginStore {
  create(row: Omit<PluginRow, "version" | "createdAt" | "updatedAt">): Promise<PluginRow>;
  update(id: string, change: Pick<PluginRow, "spec" | "sealed" | "serves">, version: number): Promise<PluginRow | null>;
  /** What it says now, where the row is still at the version: its own version stays. False: it is not. */
  describe(id: string, version: number, serves: TypeDescription): Promise<boolean>;
  /** The same secrets sealed anew; false where they were replaced meanwhile. The version stays. */
  reseal(id: string, before: Uint8Array, after: Uint8Array): Promise<boolean>;
  byName(name: string): Promise<PluginRow | null>;
  /** By name. */
  all(): Promise<readonly PluginRow[]>;
  list(options: PageOptions & { readonly sort: "name" | "-name" }): Promise<Page<PluginRow>>;
  remove(id: string): Promise<boolean>;
}

/** How a plugin does on this node. */
export interface PluginState {
  readonly status: "ready" | "starting" | "unavailable";
  /** Why it is unavailable, in one sentence; else null. */
  readonly reason: string | null;
}

/** A plugin that was started or reached to see what it is. The caller closes it. */
export interface TriedPlugin {
  readonly type: RegisteredType;
  close(): Promise<void>;
}

/** The plugins of this node. */
export interface Plugins {
  /** What they serve, also while they are away. */
  types(): readonly RegisteredType[];
  state(name: string): PluginState;
  /** Throws SluiceError VALIDATION_ERROR where this node may not run or reach it, with paths below the plugin. */
  allow(spec: JsonObject): Promise<void>;
  /** Starts or reaches one as configured, secrets and all. Throws why it cannot be, or what it does wrong. */
  try(name: string, spec: JsonObject): Promise<TriedPlugin>;
  /** The store has changed: resolves once this node has taken it up; the others are told. */
  changed(): Promise<void>;
}
