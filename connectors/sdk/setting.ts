import { ConnectorError, type ErrorCode } from "./errors.ts";
import type { Json } from "./json.ts";

/** What is wrong with a setting; nothing that is tried again helps. */
export function settingError(code: ErrorCode, message: string, path: string): ConnectorError {
  return new ConnectorError(code, sentence(message), { fault: "destination", path });
}

/** One line that ends as a sentence does. */
export function sentence(text: string): string {
  const line = text.replace(/\s*[\r\n]+\s*/g, " ").trim();
  return /[.!?]$/.test(line) ? line : `${line}.`;
}

/** A text, or its beginning and "…"; no character is cut in half. */
export function clipped(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** Compiles a part of the config; what is wrong with it names the setting. */
export function compiled<T>(at: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw settingError("VALIDATION_ERROR", `${at}: ${error instanceof Error ? error.message : String(error)}`, at);
  }
}

/** What a template gave, as a text. */
export function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
