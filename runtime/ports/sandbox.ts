import type { ErrorCode, Json, JsonObject } from "../../connectors/sdk/index.ts";

/**
 * A user's JavaScript (language.md, "Scripts").
 * - `expression`: a rule's `transform`, over `value`, `record`, `meta`.
 * - `predicate`: `{ "js": … }`, over `record` and `meta`; counts by truthiness.
 * - `function`: a `transform` step's `script`, `(record, meta) => record | record[] | null`.
 */
export interface Script {
  readonly kind: "expression" | "predicate" | "function";
  readonly source: string;
}

/** One evaluation. Absent things are absent: `value` undefined stands for no value. */
export interface ScriptCall {
  readonly value?: Json | undefined;
  /** Within `each` an element, which may be any JSON. */
  readonly record: Json;
  readonly meta: JsonObject;
}

/**
 * What an evaluation gave, as data: `undefined` where it gave nothing (undefined; for a function null too), a boolean for
 * a predicate, an array of records for a function that gave one. Dates, BigInts and undefined members are JSON already.
 */
export type ScriptResult =
  | { readonly ok: true; readonly value: Json | undefined }
  /** `VALIDATION_ERROR` for a throw or a result that is no JSON, `TIMEOUT` for a script over its time or memory. */
  | { readonly ok: false; readonly code: Extract<ErrorCode, "VALIDATION_ERROR" | "TIMEOUT">; readonly message: string };

export interface SandboxLimits {
  /** Of a batch's calls together; default 1,000. */
  readonly timeMs: number;
  /** Of the isolate; default 64 MB. */
  readonly memoryBytes: number;
}

/**
 * Runs scripts away from everything: in another process, without secrets, connections, files or time without end. A
 * script over its limit fails its own record; the others of the batch are evaluated all the same.
 */
export interface Sandbox {
  /** Evaluates a script for many records, in order. `scope` keeps integrations apart: they share no globals. */
  run(
    scope: string,
    script: Script,
    calls: readonly ScriptCall[],
    signal: AbortSignal,
  ): Promise<readonly ScriptResult[]>;
  close(): Promise<void>;
}
