import type { JsonObject } from "../../connectors/sdk/index.ts";
import { messageOf, SluiceError } from "../errors/index.ts";
import { Emitter } from "./emitter.ts";
import { emitLogical } from "./jsonpath/emit.ts";
import type { RecordMeta } from "./mapping.ts";
import { lintPredicate, parsePredicate } from "./parse-predicate.ts";

export interface Predicate {
  /** What is allowed but hardly meant: one sentence each. */
  readonly warnings: readonly string[];
  /** `meta` is for scripts, which come later. Throws a MappingFailure when a script does. */
  test(record: JsonObject, meta?: RecordMeta): boolean;
}

/** A predicate over a record: `$.status == 'active' && $.amount > 10`. Throws a SluiceError (VALIDATION_ERROR). */
export function compilePredicate(source: unknown): Predicate {
  try {
    const logical = parsePredicate(source);
    const emitter = new Emitter();
    emitter.function("test", "r", `return ${emitLogical(emitter, logical, { root: "r", current: "r" })};`);
    return { warnings: lintPredicate(logical), test: emitter.build<Predicate["test"]>("test") };
  } catch (error) {
    const message = messageOf(error);
    throw new SluiceError("VALIDATION_ERROR", message, [{ path: "", message }], error);
  }
}
