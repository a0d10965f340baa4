import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { deleteField, getField, parseFieldPath, setField } from "../mapping/index.ts";
import { describeType, isObject } from "../record/index.ts";
import { FlowBuilder } from "./flow.ts";
import { type Step, StepRefusal } from "./step.ts";

/**
 * A record for every element of an array. An empty array gives none; no array, or an element that cannot be a record,
 * is an error, of that element alone where it is one's.
 */
export function compileSplit({ path: text, as: target, keepParent }: Extract<ResolvedStep, { type: "split" }>): Step {
  const path = parseFieldPath(text);
  const as = target === null ? null : parseFieldPath(target);

  const child = (parent: JsonObject, element: Json): JsonObject => {
    const record = keepParent ? withoutField(parent, path) : {};
    if (as !== null) {
      if (setField(record, as, element)) return record;
      throw new StepRefusal(`${target} cannot be written: what stands in its way is no object or array`);
    }
    if (!isObject(element)) throw new StepRefusal(`an element of ${text} is ${describeType(element)}, not an object`);
    return keepParent ? { ...record, ...element } : element;
  };

  return (input, fail) => {
    const output = new FlowBuilder();
    for (const [index, parent] of input.values.entries()) {
      const elements = getField(parent, path);
      if (!Array.isArray(elements)) {
        const found = elements === undefined ? "missing" : describeType(elements);
        fail(index, new StepRefusal(`${text} is ${found}, not an array`));
        continue;
      }
      for (const [n, element] of elements.entries()) {
        try {
          output.addChild(input, index, n, child(parent, element));
        } catch (error) {
          fail(index, error);
        }
      }
    }
    return output.build();
  };
}

/** A copy without the field; only what lies on the way to it is copied. */
function withoutField(record: JsonObject, path: readonly (string | number)[]): JsonObject {
  const copy = { ...record };
  for (let end = 1; end < path.length; end++) {
    const inner = getField(copy, path.slice(0, end));
    setField(copy, path.slice(0, end), Array.isArray(inner) ? [...inner] : { ...(inner as JsonObject) });
  }
  deleteField(copy, path);
  return copy;
}
