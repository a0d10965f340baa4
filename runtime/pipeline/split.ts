import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { deleteField, type FieldPath, getField, parseFieldPath, setField } from "../mapping/index.ts";
import type { StepCounts } from "../ports/ledger.ts";
import { describeType, isObject } from "../record/index.ts";
import { copyAlong } from "./copy-along.ts";
import { type Flow, FlowBuilder, sliceRecords } from "./flow.ts";
import { type Step, StepRefusal } from "./step.ts";

/** What may be made of a batch at once, as text. */
const sliceBytes = 1024 * 1024;
/** Arrays shorter than this are not weighed. */
const fewElements = 8;

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

  /** Cut after so many elements as stand in the input, failed or not: the same again when the batch is. */
  function* slices(input: Flow, fail: Parameters<Step>[1], counts: StepCounts): Generator<Flow, Flow> {
    let output = new FlowBuilder();
    let size = { records: 0, bytes: 0 };
    for (const [index, parent] of input.values.entries()) {
      const elements = getField(parent, path);
      if (!Array.isArray(elements)) {
        const found = elements === undefined ? "missing" : describeType(elements);
        fail(index, new StepRefusal(`${text} is ${found}, not an array`));
        continue;
      }
      if (elements.length === 0) counts.filtered++;
      else counts.expanded += elements.length - 1;
      const bytes = elements.length < fewElements ? 0 : (sizeOf(() => child(parent, elements[0] as Json)) ?? 0);
      for (const [n, element] of elements.entries()) {
        if (size.records === sliceRecords || size.bytes > sliceBytes) {
          yield output.build();
          output = new FlowBuilder();
          size = { records: 0, bytes: 0 };
        }
        size.records++;
        size.bytes += bytes;
        try {
          output.addChild(input, index, n, child(parent, element));
        } catch (error) {
          fail(index, error);
        }
      }
    }
    return output.build();
  }

  return (input, fail, _context, counts) => {
    const all = slices(input, fail, counts);
    const first = all.next();
    return first.done ? first.value : { slices: rest(first.value, all) };
  };
}

function* rest(first: Flow, others: Generator<Flow, Flow>): Generator<Flow> {
  yield first;
  yield yield* others;
}

/** Of a record as text; undefined where it cannot be made. */
function sizeOf(make: () => JsonObject): number | undefined {
  try {
    return JSON.stringify(make()).length;
  } catch {
    return undefined;
  }
}

function withoutField(record: JsonObject, path: FieldPath): JsonObject {
  const copy = copyAlong(record, path);
  deleteField(copy, path);
  return copy;
}
