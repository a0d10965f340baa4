import type { Json, JsonObject, OutRecord, WriteFailure } from "../sdk/index.ts";
import type { Format } from "./config.ts";

/** What a file of a format looks like around and between its records. */
export interface Encoder {
  /** What ends the file after its last record. */
  readonly closing: (records: number) => string;
  /** The text of a batch, to follow `before` records that are in the file. */
  encode(records: readonly OutRecord[], before: number): { readonly text: string; readonly failed: WriteFailure[] };
}

/** `columns`: those of the CSV file as it stands, or undefined to take them from the first batch. */
export function encoderOf(format: Format, columns: readonly string[] | undefined): Encoder {
  if (format === "csv") return new CsvEncoder(columns);
  return format === "json" ? jsonEncoder : ndjsonEncoder;
}

const ndjsonEncoder: Encoder = {
  closing: () => "",
  encode(records) {
    let text = "";
    for (const record of records) text += `${record.text}\n`;
    return { text, failed: [] };
  },
};

/** What ends an array that has elements. */
export const arrayEnd = "\n]\n";

/** An element a line, so that the file is fit for line tools too. */
const jsonEncoder: Encoder = {
  closing: (records) => (records === 0 ? "[]\n" : arrayEnd),
  encode(records, before) {
    const opening = before === 0 ? "[\n" : ",\n";
    return { text: opening + records.map((record) => record.text).join(",\n"), failed: [] };
  },
};

export class CsvEncoder implements Encoder {
  columns: readonly string[] | undefined;
  readonly closing = () => "";

  constructor(columns: readonly string[] | undefined) {
    this.columns = columns;
  }

  encode(records: readonly OutRecord[], before: number): { text: string; failed: WriteFailure[] } {
    const failed: WriteFailure[] = [];
    const objects = records.map(({ value }) => value).filter(isObject);
    let text = "";
    if (this.columns === undefined && objects.length > 0) {
      this.columns = [...new Set(objects.flatMap((object) => Object.keys(object)))];
    }
    const columns = this.columns ?? [];
    if (before === 0 && objects.length > 0) text = rowOf(columns);
    const known = new Set(columns);
    for (const [index, { value }] of records.entries()) {
      const unknown = isObject(value) ? Object.keys(value).find((name) => !known.has(name)) : undefined;
      if (!isObject(value) || unknown !== undefined) {
        const message =
          unknown === undefined
            ? "Only an object can be a CSV row."
            : `The field "${unknown}" has no column: the file's header does not name it.`;
        failed.push({ index, code: "VALIDATION_ERROR", message });
      } else {
        text += rowOf(columns.map((name) => (Object.hasOwn(value, name) ? cellOf(value[name]!) : "")));
      }
    }
    return { text, failed };
  }
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !JSON.isRawJSON(value);
}

function cellOf(value: Json): string {
  if (typeof value === "string") return value;
  return value === null ? "" : JSON.stringify(value);
}

function rowOf(cells: readonly string[]): string {
  // A row of one empty cell would be an empty line, which is no row to a reader.
  if (cells.length === 1 && cells[0] === "") return '""\n';
  return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")}\n`;
}
