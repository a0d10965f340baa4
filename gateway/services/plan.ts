import type { JsonObject } from "../../connectors/sdk/index.ts";
import { type Change, type Note, resolveIntegration } from "../../runtime/config/index.ts";
import { type FieldError, joinPath, SluiceError } from "../../runtime/errors/index.ts";
import type { PluginRow } from "../../runtime/ports/plugins.ts";
import type { ConnectorRow, IntegrationRow } from "../../runtime/ports/store.ts";
import { type ServiceContext, usersOf } from "./context.ts";
import { storedIntegration } from "./integrations.ts";

/** What applying a configuration does. */
export interface Plan {
  readonly changes: readonly Change[];
  /** What is there and not in the configuration: it is left as it is. */
  readonly left: readonly Pick<Change, "kind" | "name">[];
}

/** What is there and none of the changes is about, by name. */
export function leftAsItIs(
  plugins: readonly PluginRow[],
  connectors: readonly ConnectorRow[],
  integrations: readonly IntegrationRow[],
  changes: readonly Change[],
): Plan["left"] {
  const named = new Set(changes.map(({ kind, name }) => `${kind} ${name}`));
  const there = [
    ...plugins.map(({ name }) => ({ kind: "plugin" as const, name })),
    ...connectors.map(({ name }) => ({ kind: "connector" as const, name })),
    ...integrations.map(({ name }) => ({ kind: "integration" as const, name })),
  ];
  return there
    .filter(({ kind, name }) => !named.has(`${kind} ${name}`))
    .sort((a, b) => (a.kind === b.kind ? (a.name < b.name ? -1 : 1) : a.kind < b.kind ? -1 : 1));
}

/** Who uses a connector that changes, and whose cursor is taken to mean the same there. */
export async function connectorNotes(
  change: Change,
  integrations: readonly IntegrationRow[],
  { store }: ServiceContext,
): Promise<Note[]> {
  if (change.action !== "update") return [];
  const ids = await usersOf([change.name], store);
  const users = integrations.filter(({ id }) => ids.includes(id));
  if (users.length === 0) return [];
  const reads = ({ spec }: IntegrationRow) =>
    resolveIntegration(spec).sources.some(({ connector, mode }) => connector === change.name && mode === "incremental");
  const cursors = users.filter(reads);
  return [
    fact("", `is used by ${namesOf(users)}`),
    ...(cursors.length === 0
      ? []
      : [fact("config", `keeps the cursor of ${namesOf(cursors)}, as if it read the same`)]),
  ];
}

/** When an integration fires next, where that changes, and whether a run goes on as the version before. */
export async function integrationNotes(
  change: Change,
  value: JsonObject,
  row: IntegrationRow | undefined,
  { store, runner }: ServiceContext,
): Promise<Note[]> {
  if (change.action === "unchanged") return [];
  const { spec, enabled } = storedIntegration(value);
  const next = runner.nextFire({ spec, enabled });
  const before = row === undefined ? null : runner.nextFire(row);
  const moved = change.fields.some(({ path }) => /^(trigger|enabled)\b/.test(path)) || row === undefined;
  const running = row === undefined ? [] : await store.runs.running(row.id);
  return [
    ...(moved && next !== null ? [fact("trigger", fireTime(next, before))] : []),
    ...(moved && next === null && before !== null
      ? [fact("trigger", `fires no more by a schedule; it would have at ${before.toISOString()}`)]
      : []),
    ...(running.length > 0 ? [fact("", `a run is under way, and ends as version ${change.version.before}`)] : []),
  ];
}

/** Throws CONFLICT with all that would be lost, each at its place, unless nothing would. */
export function refuseLosses(parts: readonly { readonly path: string; readonly change: Change }[]): void {
  const losses = parts.flatMap(({ path, change }): FieldError[] =>
    change.notes
      .filter(({ destructive }) => destructive)
      .map((note) => ({ path: joinPath(path, note.path), message: note.message })),
  );
  if (losses.length === 0) return;
  const what = losses.length === 1 ? "a change loses" : `${losses.length} changes lose`;
  throw new SluiceError("CONFLICT", `nothing was applied: ${what} data or state, and that was not allowed`, losses);
}

function fireTime(next: Date, before: Date | null): string {
  const was = before === null || before.getTime() === next.getTime() ? "" : ` (before: ${before.toISOString()})`;
  return `fires next at ${next.toISOString()}${was}`;
}

const fact = (path: string, message: string): Note => ({ path, message, destructive: false });

const namesOf = (rows: readonly IntegrationRow[]) => rows.map(({ name }) => name).join(", ");
