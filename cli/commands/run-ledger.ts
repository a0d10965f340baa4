import type { Client, List } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson, printTable } from "../output.ts";
import type { Run } from "../run-resource.ts";

const stepCounts = ["in", "expanded", "out", "filtered", "absorbed", "dropped", "failed"] as const;
const destinationCounts = ["published", "inherited", "confirmed", "failed", "pending"] as const;

interface Ledger {
  readonly balanced: boolean;
  readonly imbalances: readonly {
    readonly between: string;
    readonly expected: number;
    readonly counted: number;
    readonly sequences: readonly [number, number] | null;
  }[];
  readonly steps: Readonly<Record<string, Readonly<Record<(typeof stepCounts)[number], number>>>>;
  readonly destinations: Readonly<Record<string, Readonly<Record<(typeof destinationCounts)[number], number>>>>;
}

/** The ledger of the first run of a list: done where it balances. */
export async function showLedger(client: Client, { items: [newest] }: List<Run>, json: boolean): Promise<number> {
  if (newest === undefined) {
    note("there is no run");
    return exitCode.failed;
  }
  const { ledger } = await client.call<{ ledger: Ledger | null }>("GET", `/v1/runs/${newest.id}`);
  if (json) printJson({ id: newest.id, status: newest.status, ledger });
  else if (ledger === null) print(`${newest.id} ${newest.status}: nothing is committed`);
  else show(newest, ledger);
  return ledger?.balanced === false ? exitCode.failed : exitCode.done;
}

function show({ id, status }: Run, { balanced, imbalances, steps, destinations }: Ledger): void {
  print(`${id} ${status}: ${balanced ? "the ledger balances" : "the ledger does not balance"}\n`);
  printTable(
    ["STEP", ...stepCounts.map((name) => name.toUpperCase())],
    Object.entries(steps).map(([step, counts]) => [step, ...stepCounts.map((name) => counts[name])]),
  );
  print("");
  printTable(
    ["DESTINATION", ...destinationCounts.map((name) => name.toUpperCase())],
    Object.entries(destinations).map(([name, counts]) => [name, ...destinationCounts.map((count) => counts[count])]),
  );
  for (const { between, expected, counted, sequences } of imbalances) {
    const where = sequences === null ? "" : `, in messages ${sequences[0]} to ${sequences[1]} of the log`;
    note(`${between}: ${expected} expected, ${counted} counted${where}`);
  }
}
