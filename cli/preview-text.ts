import type { JsonObject } from "../connectors/sdk/index.ts";
import type { Preview, RecordPreview, ShownRecords, Way } from "../runtime/preview/index.ts";
import { printable } from "./output.ts";

/** A preview for a person, a record at a time. */
export function previewText({ records, windows, totals }: Preview): string[] {
  const width = Math.max(
    0,
    ...[...records, ...(windows ? [windows] : [])].flatMap(labelsOf).map(({ length }) => length),
  );
  const lines = records.flatMap((record) => [...recordLines(record, width), ""]);
  if (windows !== null) lines.push("windows, closed at the end", ...wayLines(windows, null, width), "");
  const { in: taken, aggregated, delivered, filtered, failed } = totals;
  const windowed = aggregated > 0 ? ` aggregated=${aggregated}` : "";
  lines.push(
    `in=${taken} delivered=${delivered}${windowed} filtered=${filtered} failed=${failed}; nothing was written`,
  );
  return lines;
}

/** The way of one record. */
export function wayText(way: Way, record: JsonObject | null): string[] {
  return wayLines(way, record, Math.max(...labelsOf(way).map(({ length }) => length)));
}

function recordLines(preview: RecordPreview, width: number): string[] {
  const { position, status, record, failure } = preview;
  const lines = [`${printable(position.base)}:${position.ordinal}  ${status}`];
  if (record !== null) lines.push(line("record", textOf(record), width));
  if (failure !== null) lines.push(line("", `! ${printable(failure.message)}`, width));
  return [...lines, ...wayLines(preview, record, width)];
}

function wayLines({ steps, destinations }: Way, record: JsonObject | null, width: number): string[] {
  let before = record === null ? "" : textOf(record);
  return [
    ...steps.flatMap(({ step, out, failures }) => {
      const told = failures.map(({ child, rule, message, on_error }) => {
        const which = child === "" ? "" : `${child} `;
        const what = on_error === "dead_letter" ? "" : ` (${on_error})`;
        return `! ${which}${rule === null ? "" : `rule ${rule}: `}${printable(message)}${what}`;
      });
      const given = out.count === 0 && told.length === 0 ? ["nothing"] : shown(out, before);
      before = out.count === 1 ? textOf(out.records[0]?.record ?? {}) : "";
      return [...given, ...told].map((text, index) => line(index === 0 ? step : "", text, width));
    }),
    ...destinations.flatMap(({ destination, in: { count, records } }) =>
      shown({ count, records }, before).map((text, i) => line(i === 0 ? `→ ${destination}` : "", text, width)),
    ),
  ];
}

/** `=` for what came as it was. */
function shown({ count, records }: ShownRecords, before: string): string[] {
  const lines = records.map(({ child, to, record }) => {
    const text = textOf(record);
    const name = child === "" ? "" : `${printable(child)} `;
    return `${name}${to === undefined ? "" : `→ ${to} `}${text === before ? "=" : text}`;
  });
  return count > records.length ? [...lines, `… and ${count - records.length} more`] : lines;
}

const labelsOf = ({ steps, destinations }: Way) => [
  "record",
  ...steps.map(({ step }) => step),
  ...destinations.map(({ destination }) => `→ ${destination}`),
];

const line = (label: string, text: string, width: number) => `  ${label.padEnd(width)}  ${text}`;

const textOf = (record: JsonObject) => printable(JSON.stringify(record));
