export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface StageResult extends Counts {
  /** Shown when the stage failed. */
  readonly output: string;
  /** Shown when it passed. */
  readonly note?: string;
}

export interface Stage {
  readonly name: string;
  run(): Promise<StageResult>;
}

const AT_A_TIME = 2;
const STILL_RUNNING_MS = 30_000;

/** Runs all stages, two at a time in their order, and sums them up. A stage that throws has failed. */
export async function runStages(stages: readonly Stage[], print: (text: string) => void): Promise<Counts> {
  const waiting = [...stages];
  const results: StageResult[] = [];
  const lane = async (): Promise<void> => {
    for (let stage = waiting.shift(); stage !== undefined; stage = waiting.shift()) {
      results.push(await runStage(stage, print));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  const sum = (key: keyof Counts): number => results.reduce((total, result) => total + result[key], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

async function runStage(stage: Stage, print: (text: string) => void): Promise<StageResult> {
  const start = performance.now();
  const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  const timer = setInterval(() => print(`…      ${stage.name}, ${seconds()} so far\n`), STILL_RUNNING_MS);
  let result: StageResult;
  try {
    result = await stage.run();
  } catch (error) {
    result = { passed: 0, failed: 1, skipped: 0, output: `${(error as Error).stack ?? error}\n` };
  } finally {
    clearInterval(timer);
  }
  const { passed, failed, skipped, output, note } = result;
  const told = failed > 0 ? output : note;
  if (told !== undefined) print(`\n${told.trimEnd()}\n\n`);
  const tests = passed + failed + skipped;
  const counts = tests === 1 ? "" : ` (${passed} passed, ${failed} failed, ${skipped} skipped)`;
  print(`${failed > 0 ? "FAILED" : "ok    "} ${stage.name}, ${seconds()}${counts}\n`);
  return result;
}
