import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldPath, parseFieldPath, setField } from "../mapping/index.ts";
import { copyAlong } from "./copy-along.ts";
import { type Flow, FlowBuilder } from "./flow.ts";
import type { EnrichStep } from "./look-ups.ts";
import { type Answer, type LookUps, type Step, StepRefusal, type StepServices } from "./step.ts";

/** Puts what is looked up for each record into a copy of it. Where all answers are cached it gives no promise. */
export function compileEnrich(step: EnrichStep, services: StepServices): Step {
  const { connector, mergeAt, onMissing } = step;
  const lookUps = services.lookUps.get(step.id) as LookUps;
  const path = parseFieldPath(mergeAt);
  const missing = new StepRefusal(`look-up in ${connector}: nothing was found`, "NOT_FOUND");
  const blocked = new StepRefusal(`${mergeAt} cannot be written: what stands in its way is no object or array`);

  const merge = (input: Flow, answers: readonly Answer[], fail: Parameters<Step>[1]): Flow => {
    const output = new FlowBuilder();
    for (let index = 0; index < answers.length; index++) {
      const answer = answers[index] as Answer;
      const record = input.values[index] as JsonObject;
      if (answer instanceof StepRefusal) fail(index, answer);
      else if (answer === null && onMissing === "fail") fail(index, missing);
      else if (answer === null && onMissing === "skip") output.add(input, index, record);
      else {
        const enriched = withField(record, path, answer);
        if (enriched === undefined) fail(index, blocked);
        else output.add(input, index, enriched);
      }
    }
    return output.build();
  };

  return (input, fail, { correlation }) => {
    const answers = lookUps.ask(input.values, correlation && ((index) => correlation(input.origins[index] as number)));
    return answers instanceof Promise
      ? answers.then((given) => merge(input, given, fail))
      : merge(input, answers, fail);
  };
}

/** A copy with the field; undefined where something stands in its way. */
function withField(record: JsonObject, path: FieldPath, value: Json): JsonObject | undefined {
  const copy = copyAlong(record, path);
  return setField(copy, path, value) ? copy : undefined;
}
