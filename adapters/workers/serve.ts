import { parentPort } from "node:worker_threads";
import type { ResolvedIntegration } from "../../runtime/config/index.ts";
import { Pipeline, type StepServices, throughPure } from "../../runtime/pipeline/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { StepsResult, StepsTask } from "../../runtime/ports/workers.ts";
import { decodeLines, parseJson } from "../../runtime/record/index.ts";
import type { Answer, Request } from "./wire.ts";

/** What a thread of the pool runs: steps of integrations, as it is asked. */
export function serveSteps({ validator }: Pick<StepServices, "validator">): void {
  const port = parentPort;
  if (port === null) throw new Error("the main thread does not serve itself");
  const services: StepServices = { validator, sandbox: noSandbox, clock: realClock, lookUps: new Map() };
  const answer = (answer: Answer) => port.postMessage(answer);
  const pipelines = new Map<number, Pipeline>();
  port.on("message", (request: Request) => {
    if (request.type === "close") pipelines.delete(request.steps);
    else if (request.type === "open") {
      const steps = parseJson(request.text) as unknown as Pick<ResolvedIntegration, "steps" | "destinations">;
      pipelines.set(request.steps, new Pipeline(steps, services));
    } else {
      // Whatever fails here fails on the main thread again, where it can be told.
      run(pipelines.get(request.steps) as Pipeline, request.task).then(
        (result) => answer({ id: request.id, result }),
        () => answer({ id: request.id, result: undefined }),
      );
    }
  });
}

async function run(pipeline: Pipeline, { body, count, origins }: StepsTask): Promise<StepsResult> {
  const { values } = decodeLines(body, count);
  const passing = origins.map((origin) => values[origin] as NonNullable<(typeof values)[number]>);
  const before = process.threadCpuUsage();
  const passed = await throughPure(pipeline, { origins, values: passing });
  const { user, system } = process.threadCpuUsage(before);
  return { ...passed, cpuMicros: user + system };
}

const noSandbox: StepServices["sandbox"] = {
  run: () => Promise.reject(new Error("pure steps have no scripts")),
  close: async () => {},
};
