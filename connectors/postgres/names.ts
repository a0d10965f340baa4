import pg from "pg";
import { ConnectorError } from "../sdk/index.ts";

/** A name as SQL takes it, letter by letter. */
export const identifier = pg.escapeIdentifier;

/** A text as SQL takes it; null is NULL. */
export function literal(text: string | null): string {
  return text === null ? "NULL" : pg.escapeLiteral(text);
}

const part = '"(?:[^"]|"")+"|[^."]+';
const tableName = new RegExp(`^(?:(${part})\\.)?(${part})$`);

/** The parts of `table`, `schema.table` or `"odd.name"`; letters keep their case. Undefined for anything else. */
export function parseTableName(stream: string): { schema: string | undefined; table: string } | undefined {
  const found = tableName.exec(stream);
  if (!found) return undefined;
  return { schema: found[1] === undefined ? undefined : unquoted(found[1]), table: unquoted(found[2]!) };
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** A table's name as a stream, the reverse of `parseTableName`. */
export function streamName(schema: string | undefined, table: string): string {
  const plain = (name: string) => (/^[^."]+$/.test(name) ? name : identifier(name));
  return schema === undefined ? plain(table) : `${plain(schema)}.${plain(table)}`;
}

const quotedField = /^\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]$/s;

/** The column that a field path names: a plain name or `["odd name"]`, since columns do not nest. */
export function columnOf(path: string, setting: string): string {
  const quoted = quotedField.exec(path)?.[1];
  if (quoted !== undefined) {
    const inner = quoted.slice(1, -1);
    const json = quoted.startsWith('"') ? inner : inner.replaceAll("\\'", "'").replaceAll('"', '\\"');
    try {
      return JSON.parse(`"${json}"`) as string;
    } catch {
      // Falls through: no name of RFC 9535.
    }
  } else if (/^[^.[\]'"*\s]+$/.test(path)) return path;
  throw new ConnectorError("VALIDATION_ERROR", `The field path ${path} does not name one column.`, {
    fault: "destination",
    path: setting,
  });
}
