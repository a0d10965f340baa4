import type { LoadKind } from "./load-kind.ts";
import type { Account, Scenario } from "./scenario.ts";
import { endShared, type Scale, setStage } from "./stage.ts";

/** What one run of a scenario came to. */
export interface Result {
  readonly name: string;
  readonly seed: number;
  readonly seconds: number;
  readonly loads: readonly LoadKind[];
  /** Left out where the scenario ended before it could count. */
  readonly account?: Account;
  /** Records that the ledgers of the live nodes cannot account for. */
  readonly imbalance: number;
  /** Why it does not hold; undefined where it does. */
  readonly failure: string | undefined;
}

/** Runs a scenario once. Never throws: what fails is in the result. */
export async function perform(scenario: Scenario, seed: number, scale: Scale): Promise<Result> {
  const { stage, imbalance, end } = setStage(scenario.name, seed, scale);
  const start = performance.now();
  let account: Account | undefined;
  let unaccounted = 0;
  let failure: string | undefined;
  try {
    account = await scenario.run(stage);
    unaccounted = await imbalance();
    failure = faultOf(account, unaccounted);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  await end().catch((error: unknown) => {
    failure ??= `the stage could not be cleared: ${error}`;
  });
  // The next one does not inherit what this one may have broken.
  if (failure !== undefined) await endShared().catch(() => undefined);
  const seconds = (performance.now() - start) / 1000;
  const loads = [...stage.kinds];
  return { name: scenario.name, seed, seconds, loads, ...(account && { account }), imbalance: unaccounted, failure };
}

function faultOf({ lost, duplicated, allowed, records, faults }: Account, imbalance: number): string | undefined {
  if (records === 0 || faults === 0) return "nothing was sent, or nothing broken: that shows nothing";
  if (lost > 0) return `${lost} of ${records} records are lost`;
  if (duplicated > allowed) return `${duplicated} of ${records} records came twice; ${allowed} may`;
  if (imbalance > 0) return `the ledger does not balance: ${imbalance} records`;
  return undefined;
}
