import type { Result } from "./perform.ts";
import type { Scenario } from "./scenario.ts";
import type { Scale } from "./stage.ts";

const nameWidth = 26;

/** One run of a scenario in one line. */
export function lineOf({ name, seed, seconds, loads, account, imbalance, failure }: Result): string {
  const head = `${failure === undefined ? "ok    " : "FAILED"} ${name.padEnd(nameWidth)} seed ${seed}${loads.length === 0 ? "" : `, ${loads.join(" and ")}`}`;
  const counts =
    account === undefined
      ? ""
      : `, ${account.records} records, ${account.faults} faults, ${account.lost} lost, ` +
        `${account.duplicated} duplicated (allowed ${account.allowed}), ` +
        `ledger ${imbalance === 0 ? "balanced" : `off by ${imbalance}`}`;
  const notes = account?.notes === undefined ? "" : `, ${account.notes}`;
  return `${head}${counts}, ${seconds.toFixed(1)} s${notes}`;
}

/** All runs as Markdown: a table for each family that ran, a row for each of its scenarios. */
export function tablesOf(
  families: { readonly [family: string]: readonly Scenario[] },
  results: readonly Result[],
): string {
  return Object.entries(families)
    .map(([family, scenarios]) => [family, scenarios.flatMap((scenario) => rowOf(scenario, results))] as const)
    .filter(([, rows]) => rows.length > 0)
    .map(([family, rows]) => `### ${family}\n\n${[...head, ...rows].join("\n")}\n`)
    .join("\n");
}

const head = [
  "| Scenario | What is broken | Loads | Runs | Records | Faults | Lost | Twice (allowed) | Ledger | |",
  "|---|---|---|---|---|---|---|---|---|---|",
];

function rowOf({ name, what }: Scenario, results: readonly Result[]): string[] {
  const runs = results.filter((result) => result.name === name);
  if (runs.length === 0) return [];
  const sum = (field: "records" | "faults" | "lost" | "duplicated" | "allowed") =>
    runs.reduce((total, { account }) => total + (account?.[field] ?? 0), 0).toLocaleString("en");
  const failed = runs.filter(({ failure }) => failure !== undefined).length;
  const cells = [
    `\`${name}\``,
    what,
    [...new Set(runs.flatMap(({ loads }) => loads))].join(", "),
    failed === 0 ? runs.length : `${runs.length}, ${failed} failed`,
    sum("records"),
    sum("faults"),
    sum("lost"),
    `${sum("duplicated")} (${sum("allowed")})`,
    runs.every(({ imbalance }) => imbalance === 0) ? "balanced" : "off",
    runs.findLast(({ account }) => account?.notes !== undefined)?.account?.notes ?? "",
  ];
  return [`| ${cells.join(" | ")} |`];
}

/** How to have a failure again. */
export function repeatCommand({ name, seed }: Result, scale: Scale): string {
  const { CHAOS_LOAD: load } = process.env;
  return scale === "long"
    ? `npm run chaos -- --minutes 0 --only ${name} --seed ${seed}${load === undefined ? "" : ` --load ${load}`}`
    : `SLUICE_TEST_SEED=${seed} npx vitest run --project=integration tests/chaos/suite/ -t ${name}`;
}
