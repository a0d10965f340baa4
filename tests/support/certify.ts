import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { type Report, reportOf } from "../../cli/certify/report.ts";
import { Trial } from "../../cli/certify/trial.ts";
import { type CheckResult, checksOf, type Fixture, runChecks } from "../../connectors/conformance/suite.ts";

const folder = fileURLToPath(new URL("../../docs/connectors/certification/", import.meta.url));
/** `SLUICE_CERTIFY=write`: the whole certification, and its report is kept in docs/connectors/certification. */
const isWritten = process.env.SLUICE_CERTIFY === "write";

/** Of `sluice plugin certify`. */
export const certifyArguments: readonly string[] = isWritten ? [] : ["--quick"];

/** Certifies a built-in type that is served as a plugin (tests/plugin/programs/built-in.ts), as anybody's is. */
export async function certifyBuiltIn(type: string, fixture: Fixture, env: Record<string, string> = {}): Promise<void> {
  const program = fileURLToPath(new URL("../plugin/programs/built-in.ts", import.meta.url));
  const begin = new Date();
  const trial = await Trial.start({ command: [process.execPath, program, type] }, env);
  try {
    const connector = trial.type.create(fixture.config, fixture.context);
    const subject = { type: trial.type, fixture, connector, plugin: trial, quick: !isWritten };
    // What needs no program is tried in process, by the type's own tests.
    const wanted = checksOf(trial.type).filter(({ needs }) => isWritten || needs !== undefined);
    const checks = await runChecks(subject, wanted, { limitMs: 120_000 });
    demandDocumented(reportOf({ type: trial.type, tried: `${type}, built in`, sluice: "", begin }, checks));
  } finally {
    await trial.stop();
    await fixture.close();
  }
}

/** Demands that nothing failed, and that docs/connectors/certification says what passed. */
export function demandDocumented({
  plugin,
  checks,
  started_at,
}: Pick<Report, "plugin" | "checks" | "started_at">): void {
  const failed = checks.filter(({ status }) => status === "failed");
  expect(failed.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([]);
  const file = join(folder, `${plugin?.type}.json`);
  if (isWritten) {
    mkdirSync(folder, { recursive: true });
    const found = { ...plugin, date: started_at.slice(0, 10), checks: Object.fromEntries(checks.map(entryOf)) };
    writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
  }
  // Else: SLUICE_CERTIFY=write npx vitest run tests/plugin && npm run docs
  expect(existsSync(file)).toBe(true);
  const documented = JSON.parse(readFileSync(file, "utf8")) as { checks: { [id: string]: { status: string } } };
  const statuses = (all: { readonly [id: string]: { readonly status: string } }) =>
    Object.fromEntries(Object.entries(all).map(([id, { status }]) => [id, status]));
  expect(statuses(documented.checks)).toMatchObject(statuses(Object.fromEntries(checks.map(entryOf))));
}

function entryOf({ id, status, reason, figures }: CheckResult) {
  return [id, { status, ...(reason !== undefined && { reason }), ...(figures && { figures }) }] as const;
}
