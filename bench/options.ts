/** What the command line says; each scenario has defaults of its own. */
export interface BenchOptions {
  readonly records?: number | undefined;
  readonly runs?: number | undefined;
  /** How long a rate is measured. */
  readonly seconds?: number | undefined;
  /** Only the results of this name. */
  readonly only?: string | undefined;
}
