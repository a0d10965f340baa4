import type { Json } from "../../connectors/sdk/index.ts";
import { isTooDeep, parseJson, textOf } from "../record/json.ts";
import { decimalOf, isNumber, isNumberText, numberOf, numberText } from "../record/number.ts";
import { toDate, toTimestamp } from "./timestamp.ts";

export const castNames = ["string", "number", "integer", "boolean", "timestamp", "date", "json"] as const;
export type CastName = (typeof castNames)[number];

/** Undefined where the value is refused. Null stays null with every cast: callers see to that. */
export type Cast = (value: Exclude<Json, null>) => Json | undefined;

export const casts: { readonly [name in CastName]: Cast } = {
  string: textOf,
  number: toNumber,
  integer: toInteger,
  boolean: toBoolean,
  timestamp: toTimestamp,
  date: toDate,
  json: fromJson,
};

/** Plain digits beyond these are refused: `1e999999999` would take a gigabyte. */
const maxIntegerDigits = 10_000;

function toNumber(value: Json): Json | undefined {
  if (isNumber(value)) return value as Json;
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  return isNumberText(text) ? numberOf(text) : undefined;
}

function toInteger(value: Json): Json | undefined {
  // Doubles up to here have no fraction lost, and are written without an exponent.
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 1e21) return value;
  const number = toNumber(value);
  if (!isNumber(number)) return undefined;
  if (Number.isSafeInteger(number)) return number as Json;
  const { sign, digits, point } = decimalOf(numberText(number));
  if (sign === 0) return 0;
  if (point < BigInt(digits.length) || point > BigInt(Math.max(maxIntegerDigits, digits.length))) return undefined;
  const plain = `${sign < 0 ? "-" : ""}${digits.padEnd(Number(point), "0")}`;
  // A double from 10^21 on would be written with an exponent.
  return String(Number(plain)) === plain ? Number(plain) : (JSON.rawJSON(plain) as unknown as Json);
}

function toBoolean(value: Json): boolean | undefined {
  switch (typeof value === "string" ? value.toLowerCase() : value) {
    case true:
    case 1:
    case "true":
    case "yes":
    case "1":
      return true;
    case false:
    case 0:
    case "false":
    case "no":
    case "0":
      return false;
    default:
      return undefined;
  }
}

function fromJson(value: Json): Json | undefined {
  if (typeof value !== "string") return value;
  try {
    const parsed = parseJson(value);
    return isTooDeep(parsed, value.length) ? undefined : parsed;
  } catch {
    return undefined;
  }
}
