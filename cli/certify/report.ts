import type { CheckResult } from "../../connectors/conformance/suite.ts";
import type { ConnectorType } from "../../connectors/sdk/index.ts";

/** The outcome of a certification, as `--json` and `--report` write it. */
export interface Report {
  readonly plugin: { readonly type: string; readonly version: string; readonly title: string } | null;
  /** As it was given. */
  readonly tried: string;
  readonly sluice: string;
  readonly started_at: string;
  readonly seconds: number;
  readonly status: "passed" | "failed";
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly checks: readonly CheckResult[];
}

export function reportOf(
  { type, tried, sluice, begin }: { type: ConnectorType | null; tried: string; sluice: string; begin: Date },
  checks: readonly CheckResult[],
): Report {
  const count = (wanted: CheckResult["status"]) => checks.filter(({ status }) => status === wanted).length;
  const counts = { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
  return {
    plugin: type && { type: type.type, version: type.version, title: type.title },
    tried,
    sluice,
    started_at: begin.toISOString(),
    seconds: Math.round((Date.now() - begin.getTime()) / 100) / 10,
    status: counts.failed > 0 ? "failed" : "passed",
    counts,
    checks,
  };
}

/** A check in words. */
export function lineOf({ id, title, status, reason, figures }: CheckResult): string {
  const sign = { passed: "ok     ", failed: "FAILED ", skipped: "skipped" }[status];
  const measured = Object.entries(figures ?? {}).map(([name, value]) => `${name} ${value}`);
  const why = status === "skipped" ? [`: ${reason}`] : measured.length > 0 ? [` (${measured.join(", ")})`] : [];
  const line = `${sign} ${id.padEnd(24)} ${title}${why.join("")}`;
  return status === "failed" ? `${line}\n        ${reason}` : line;
}

export function lastLineOf({ counts: { passed, failed, skipped }, seconds, status }: Report): string {
  const verdict = status === "passed" ? "Certified" : "Not certified";
  return `${verdict}: ${passed} checks passed, ${failed} failed, ${skipped} skipped, in ${seconds} s.`;
}
