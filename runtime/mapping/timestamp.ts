import type { Json } from "../../connectors/sdk/index.ts";
import { decimalOf, isNumber, numberText } from "../record/number.ts";

const day = 86_400_000;
/** 0001-01-01 and 10000-01-01, in milliseconds since the epoch. */
const earliest = -62_135_596_800_000;
const latest = 253_402_300_800_000;

/** RFC 3339 in UTC with milliseconds, or undefined when the value is no timestamp. */
export function toTimestamp(value: Json): string | undefined {
  // What is already in the form asked for, of a day that every month has, passes as it is.
  if (typeof value === "string" && value.length === 24 && canonical.test(value)) return value;
  const time = instantOf(value);
  return time === undefined ? undefined : new Date(time).toISOString();
}

/** The day in UTC, or undefined when the value is no timestamp. */
export function toDate(value: Json): string | undefined {
  return toTimestamp(value)?.slice(0, 10);
}

const canonical = /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const dateTime = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d)))?$/;
const digits = /^-?\d+(?:\.\d+)?$/;

/** Whole milliseconds since the epoch. */
function instantOf(value: Json): number | undefined {
  if (Number.isSafeInteger(value))
    return inRange(Math.abs(value as number) < 1e11 ? (value as number) * 1000 : (value as number));
  if (isNumber(value)) return inRange(epochOf(numberText(value)));
  if (typeof value !== "string") return undefined;
  if (digits.test(value)) return inRange(epochOf(value));
  const parts = dateTime.exec(value);
  return parts === null ? undefined : inRange(calendarOf(parts));
}

function inRange(time: number | undefined): number | undefined {
  return time !== undefined && time >= earliest && time < latest ? time : undefined;
}

/** Seconds below 10^11 in size, else milliseconds; exact, and cut off towards the past. */
function epochOf(text: string): number | undefined {
  const { sign, digits, point } = decimalOf(text);
  if (sign === 0) return 0;
  // The size is below 10^point; nothing of 16 digits is a time in range.
  if (point > 15n) return undefined;
  const seconds = point <= 11n;
  const shift = Number(point) + (seconds ? 3 : 0);
  const whole = shift <= 0 ? 0 : Number(digits.slice(0, shift).padEnd(shift, "0"));
  const fraction = shift < digits.length;
  return sign * whole - (sign < 0 && fraction ? 1 : 0);
}

const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Four centuries, after which the calendar repeats: Date.UTC takes years below 100 for the 20th century's. */
const cycle = 146_097 * day;

function calendarOf(parts: RegExpExecArray): number | undefined {
  const number = (index: number) => Number(parts[index] ?? 0);
  const [year, month, date] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  if (hour > 23 || minute > 59 || second > 60 || number(9) > 23 || number(10) > 59) return undefined;
  if (date < 1 || date > (monthDays[month - 1] ?? 0)) return undefined;
  if (month === 2 && date === 29 && !(year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0))) return undefined;
  const offset = (parts[8] === "-" ? -1 : 1) * (number(9) * 60 + number(10));
  const time = Date.UTC(year + 400, month - 1, date, hour, minute - offset) - cycle;
  if (second === 60) return isLeapMinute(time) ? time + 59_999 : undefined;
  return time + second * 1000 + Number((parts[7] ?? "").slice(0, 3).padEnd(3, "0"));
}

/** Leap seconds stand at the end of a month in UTC. */
function isLeapMinute(time: number): boolean {
  return (time + 60_000) % day === 0 && new Date(time + 60_000).getUTCDate() === 1;
}
