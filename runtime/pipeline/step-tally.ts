import { noStepCounts, type StepCounts } from "../ports/ledger.ts";

/** What each step took and gave of a batch, counted where it happens; what failed is counted by who is told of it. */
export class StepTally {
  readonly steps = new Map<string, StepCounts>();

  of(step: string): StepCounts {
    let counts = this.steps.get(step);
    if (counts === undefined) {
      counts = noStepCounts();
      this.steps.set(step, counts);
    }
    return counts;
  }

  /** What was counted elsewhere. */
  add(counts: ReadonlyMap<string, StepCounts>): void {
    for (const [step, more] of counts) addStepCounts(this.of(step), more);
  }
}

export function addStepCounts(sum: StepCounts, { to, ...more }: StepCounts): void {
  for (const name of Object.keys(more) as (keyof typeof more)[]) sum[name] += more[name];
  for (const [target, count] of Object.entries(to ?? {})) countTo(sum, target, count);
}

export function countTo(counts: StepCounts, target: string, records: number): void {
  counts.to ??= {};
  counts.to[target] = (Object.hasOwn(counts.to, target) ? (counts.to[target] as number) : 0) + records;
}
