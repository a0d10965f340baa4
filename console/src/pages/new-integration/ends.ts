import type { ConnectorType } from "../../api/types.ts";

export type Side = "source" | "destination";

/** `crm@1.2` is of the type `crm`. */
export const typeOf = (types: readonly ConnectorType[], name: string): ConnectorType | undefined =>
  types.find(({ type }) => type === name.split("@", 1)[0]);

interface Capability {
  readonly modes?: readonly string[];
  readonly own_cursor?: boolean;
  readonly endless?: boolean;
}

/** What a type can on a side; undefined: nothing. */
export const capabilityOf = (type: ConnectorType | undefined, side: Side): Capability | undefined =>
  (type?.capabilities[side] ?? undefined) as Capability | undefined;

/** What each mode does, for who chooses. */
export const modeWords: Readonly<Record<string, string>> = {
  full: "All records, each time",
  incremental: "Only what is new since the last run",
  append: "Records are added",
  upsert: "Records with the same key are replaced",
  replace: "All that is there is replaced by each run",
};

/** The mode that a connector begins with: the plainest that it can. */
export function firstMode(type: ConnectorType | undefined, side: Side): string {
  const modes = capabilityOf(type, side)?.modes ?? [];
  const plainest = side === "source" ? "full" : "append";
  return modes.includes(plainest) ? plainest : (modes[0] ?? "");
}
