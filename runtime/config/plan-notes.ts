import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { differences } from "./differences.ts";
import { completeIntegration } from "./resolve.ts";

export interface Note {
  readonly message: string;
  /** Field of the connector or integration that it is about; empty for the whole. */
  readonly path: string;
  /** Something is lost that applying the former configuration again does not bring back. */
  readonly destructive: boolean;
}

/** What making an integration does. */
export function creationNotes(value: JsonObject): Note[] {
  const notes = [note("", "its logs, ingest and deliver, are made with its first run")];
  if (isIncremental(completeIntegration(value)))
    notes.push(note(sourcePath(value), "its first run reads the source from the start"));
  return notes;
}

/** What changing an integration does besides changing fields. It depends on the two alone, not on what has run. */
export function updateNotes(before: JsonObject, after: JsonObject): Note[] {
  const [was, is] = [completeIntegration(before), completeIntegration(after)];
  return [
    ...sourceNotes(was, is, sourcePath(after)),
    ...destinationNotes(was, is, after),
    ...aggregateNotes(was, is),
    ...enabledNotes(was, is),
  ];
}

/** A cursor is kept by its source's connector, stream, mode and cursor field: another one begins at the start. */
function sourceNotes(was: JsonObject, is: JsonObject, path: string): Note[] {
  const [former, now] = [sourcesOf(was), sourcesOf(is)];
  const one = former.size === 1 && now.size === 1;
  const gone = [...former].filter(([name]) => !now.has(name));
  const come = [...now].filter(([name]) => !former.has(name));
  const kept = [...now].filter(([name]) => former.has(name));
  if (one && gone.length > 0) {
    // A source that is read in full each time has no cursor to lose.
    if (!isIncremental(was)) return [note(path, "the next run reads another source")];
    return [loss(path, "the cursor is reset: the next run reads the source from its start")];
  }
  const place = ({ stream, connector }: JsonObject) => `${stream} of ${connector}`;
  return [
    ...kept
      .filter(([, { mode }]) => mode === "incremental")
      .map(([, source]) => {
        const which = one ? "the cursor" : `the cursor of ${place(source)}`;
        return note(path, `${which} is kept: the next run goes on where the last one ended`);
      }),
    ...gone.map(([, source]) =>
      source.mode === "incremental"
        ? loss(path, `${place(source)} is read no more: its cursor is given up`)
        : note(path, `${place(source)} is read no more`),
    ),
    ...come.map(([, source]) => note(path, `${place(source)} is new: it is read from its start`)),
  ];
}

function destinationNotes(was: JsonObject, is: JsonObject, after: JsonObject): Note[] {
  const notes: Note[] = [];
  const former = byId(was.destinations);
  const path = (index: number) => (after.destinations === undefined ? "destination" : `destinations[${index}]`);
  for (const [index, destination] of (is.destinations as JsonObject[]).entries()) {
    const { id, connector, stream, mode, key = [] } = destination;
    const earlier = former.get(id!);
    if (earlier === undefined) {
      if (former.size > 0) notes.push(note(path(index), `destination ${id} is new: it gets what is read from now on`));
      continue;
    }
    const place = (end: JsonObject) => `${end.stream} of ${end.connector}`;
    if (earlier.connector !== connector || earlier.stream !== stream) {
      const message = `destination ${id} writes to ${place(destination)} from now on: ${place(earlier)} stays as it is`;
      notes.push(note(path(index), message));
    }
    if (mode === "replace" && earlier.mode !== "replace") {
      const message = `destination ${id} replaces what ${place(destination)} holds with each run`;
      notes.push(loss(`${path(index)}.mode`, message));
    }
    const formerKey = earlier.key ?? [];
    if (mode === "upsert" && earlier.mode === "upsert" && differences(formerKey, key).length > 0) {
      const [old, now] = [formerKey, key].map((fields) => (fields as Json[]).join(", "));
      const message = `what destination ${id} wrote by the key ${old} may not be found by ${now}, and be there twice`;
      notes.push(loss(`${path(index)}.key`, message));
    }
  }
  const left = byId(is.destinations);
  for (const id of former.keys()) {
    if (left.has(id)) continue;
    const message = `destination ${id} is removed: records that still wait for it become dead letters`;
    notes.push(loss(after.destinations === undefined ? "destination" : "destinations", message));
  }
  return notes;
}

/** Groups are kept by the step's id, and mean what its key, window and measures say. */
function aggregateNotes(was: JsonObject, is: JsonObject): Note[] {
  const [former, now] = [was, is].map((spec) => byId((spec.pipeline_spec as JsonObject).steps));
  const indexes = [...now!.keys()];
  return [...former!].flatMap(([id, step]): Note[] => {
    if (step.type !== "aggregate") return [];
    const next = now!.get(id);
    const grouping = ({ key, window, measures }: JsonObject): Json => ({
      key: key!,
      window: window!,
      measures: measures!,
    });
    if (next?.type === "aggregate" && differences(grouping(step), grouping(next)).length === 0) return [];
    const path = next === undefined ? "pipeline_spec.steps" : `pipeline_spec.steps[${indexes.indexOf(id)}]`;
    const what = next?.type === "aggregate" ? "groups in another way" : "is removed";
    return [loss(path, `the aggregate ${id} ${what}: groups that are still open are lost`)];
  });
}

function enabledNotes(was: JsonObject, is: JsonObject): Note[] {
  if (was.enabled === is.enabled) return [];
  return [
    note("enabled", is.enabled === false ? "no schedule fires and no run starts" : "schedules fire and runs may start"),
  ];
}

const note = (path: string, message: string): Note => ({ path, message, destructive: false });
const loss = (path: string, message: string): Note => ({ path, message, destructive: true });

const sourcePath = (spec: JsonObject) => (spec.sources === undefined ? "source" : "sources");

const sourcesOf = ({ sources }: JsonObject) =>
  new Map(
    (sources as JsonObject[]).map((source) => {
      const { connector, stream, mode, cursor_field = null } = source;
      return [JSON.stringify([connector, stream, mode, cursor_field]), source];
    }),
  );

const isIncremental = ({ sources }: JsonObject): boolean =>
  (sources as JsonObject[]).some(({ mode }) => mode === "incremental");

const byId = (list: Json | undefined) => new Map((list as JsonObject[]).map((each) => [each.id!, each]));
