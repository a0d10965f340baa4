export { type Entry, entryOf, isOf } from "./entry.ts";
