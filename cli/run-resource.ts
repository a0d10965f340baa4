/** A run as the API shows it (contract section 14). */
export interface Run {
  readonly id: string;
  readonly integration_id: string;
  readonly trigger: string;
  readonly status: "running" | "success" | "partial" | "failed" | "cancelled";
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly records_in: number;
  readonly records_out: number;
  readonly records_filtered: number;
  readonly records_failed: number;
  readonly error: { readonly code: string; readonly message: string; readonly path?: string } | null;
  readonly waiting: string | null;
}

/** `NAME: in=N out=N filtered=N failed=N status=success`, the line that tells how a run went. */
export function summaryLine(name: string, run: Run): string {
  const { records_in, records_out, records_filtered, records_failed, status } = run;
  return `${name}: in=${records_in} out=${records_out} filtered=${records_filtered} failed=${records_failed} status=${status}`;
}
