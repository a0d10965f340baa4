import type { JsonObject } from "../../connectors/sdk/index.ts";
import { messageOf, SluiceError } from "../errors/index.ts";
import type { Script } from "../ports/sandbox.ts";
import { checkScript } from "../sandbox/index.ts";
import { Emitter } from "./emitter.ts";
import { emitLogical } from "./jsonpath/emit.ts";
import { lintPredicate, parsePredicate } from "./parse-predicate.ts";
import { isScript } from "./rule.ts";

export interface Predicate {
  /** What is allowed but hardly meant: one sentence each. */
  readonly warnings: readonly string[];
  /** The script that decides, where it is `{ "js": … }`: a sandbox is asked then, and `test` is of no use. */
  readonly script: Script | undefined;
  test(record: JsonObject): boolean;
}

/**
 * A predicate over a record: `$.status == 'active' && $.amount > 10`, or a script. Throws a SluiceError
 * (VALIDATION_ERROR), with the path `js` for what is wrong in a script.
 */
export function compilePredicate(source: unknown): Predicate {
  try {
    const parsed = parsePredicate(source);
    if (isScript(parsed)) return scripted(parsed);
    const emitter = new Emitter();
    emitter.function("test", "r", `return ${emitLogical(emitter, parsed, { root: "r", current: "r" })};`);
    return { warnings: lintPredicate(parsed), script: undefined, test: emitter.build<Predicate["test"]>("test") };
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const message = messageOf(error);
    throw new SluiceError("VALIDATION_ERROR", message, [{ path: "", message }], error);
  }
}

function scripted(script: Script): Predicate {
  const message = checkScript(script);
  if (message !== undefined) throw new SluiceError("VALIDATION_ERROR", message, [{ path: "js", message }]);
  return {
    warnings: [],
    script,
    test() {
      throw new Error("a script is asked of batches");
    },
  };
}
