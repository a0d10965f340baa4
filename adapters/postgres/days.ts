import { idAt } from "./paging.ts";

/** History is kept by the day of its ids, in UTC; a day in milliseconds. */
export const day = 86_400_000;

/** Of a UUIDv7, in days since the epoch: its milliseconds are the first 48 bits. */
export function dayOf(id: string): number {
  return Math.floor(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) / day);
}

/** The lowest UUIDv7 of a day. */
export const firstId = (number: number): string => idAt(number * day);
