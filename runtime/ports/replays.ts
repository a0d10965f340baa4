import type { ErrorCode } from "../../connectors/sdk/index.ts";
import type { Page, PageOptions } from "./page.ts";

/** How a dead letter was put right. */
export type Resolution = "replayed" | "discarded";

/** Which dead letters of an integration; what is left out does not matter. Times are of the last attempt. */
export interface DeadLetterFilter {
  readonly code?: ErrorCode | undefined;
  readonly step?: string | undefined;
  readonly destination?: string | undefined;
  readonly runId?: string | undefined;
  readonly fingerprint?: string | undefined;
  /** Those made of this record of a source, or of what a step made of it. */
  readonly recordId?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly ids?: readonly string[] | undefined;
}

/** Dead letters of one fingerprint. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly count: number;
  readonly firstFailedAt: Date;
  readonly lastAttemptedAt: Date;
  /** The oldest and the newest version of the integration under which they failed. */
  readonly firstVersion: number;
  readonly lastVersion: number;
  /** The newest of them. */
  readonly example: {
    readonly id: string;
    readonly code: ErrorCode;
    readonly message: string;
    readonly step: string | null;
    readonly destination: string | null;
    readonly rule: number | null;
  };
}

export type JobKind = "replay";
export type JobStatus = "running" | "paused" | "success" | "partial" | "failed" | "cancelled";

export interface ReplayOptions {
  /** Where records enter; null: where nothing arrives twice. */
  readonly from: "head" | "step" | null;
  readonly version: "current" | "original";
  /** Records a second; null: as many as go. */
  readonly rate: number | null;
}

/** Why a run of the job failed. */
export interface JobError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: string;
}

export interface JobRow {
  readonly id: string;
  readonly integrationId: string;
  readonly kind: JobKind;
  readonly status: JobStatus;
  readonly options: ReplayOptions;
  readonly progress: { readonly total: number; readonly passed: number; readonly failed: number };
  readonly error: JobError | null;
  /** The name of the token that it was asked for with; null where that was not kept. */
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** A dead letter as a replay takes it up. */
export interface ReplayLetter {
  readonly id: string;
  /** Under which it failed. */
  readonly integrationVersion: number;
  readonly step: string | null;
  readonly destination: string | null;
  readonly recordId: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly child: string;
  readonly source: string | null;
  readonly raw: Uint8Array;
  /** JSON text in the place of `raw`. */
  readonly corrected: string | null;
  /** JSON text of the record before what failed. */
  readonly state: string | null;
  /** False: it was settled before, by a run that was interrupted. */
  readonly open: boolean;
}

/** What a failure of a replayed record belongs to. */
export interface ReplayOf {
  readonly jobId: string;
  readonly deadLetterId: string;
}

export interface JobListOptions extends PageOptions {
  readonly status?: JobStatus | null;
  readonly sort?: "-created_at" | "created_at";
}

export interface ReplayStore {
  /**
   * Opens a job over the unresolved dead letters that the filter takes and no other job has. Null where the filter names
   * some by id and none of them is free: no job is made.
   */
  open(job: {
    readonly id: string;
    /** Of its first run. */
    readonly runId: string;
    readonly integrationId: string;
    /** The current one. */
    readonly integrationVersion: number;
    readonly options: ReplayOptions;
    readonly filter: DeadLetterFilter;
    /** Who asks for it. */
    readonly actor: string;
  }): Promise<JobRow | null>;
  /** Unresolved dead letters that a filter takes, */
  count(integrationId: string, filter: DeadLetterFilter): Promise<number>;
  /** and they themselves, by id, the first behind `after`. */
  unresolved(
    integrationId: string,
    filter: DeadLetterFilter,
    after: string | null,
    limit: number,
  ): Promise<readonly ReplayLetter[]>;
  get(id: string): Promise<JobRow | null>;
  /** Newest first unless `sort` says otherwise. */
  list(integrationId: string, options: JobListOptions): Promise<Page<JobRow>>;
  /** Those that have not ended, of one integration or all, the oldest first; at most a thousand. */
  unfinished(integrationId: string | null): Promise<readonly JobRow[]>;
  status(id: string): Promise<JobStatus | null>;
  /** Changes the status where it is one of `from`; false where it is not. */
  move(id: string, from: readonly JobStatus[], to: JobStatus): Promise<boolean>;
  /**
   * Opens the next run of a job that is running and has dead letters left; where none is left, or it was cancelled, the
   * job ends. Called when a job is resumed, and before a run of it, `ending`, is closed. False: no run was opened.
   */
  next(id: string, runId: string, ending?: string): Promise<boolean>;
  /** Ends a job whose run failed: what is left of it is free again. */
  fail(id: string, error: JobError): Promise<void>;
  /** Of a job under one version, by id, the first behind `after`; settled ones too, so that pages stay as they are. */
  page(
    id: string,
    version: number,
    after: string | null,
    limit: number,
  ): Promise<{
    readonly letters: readonly ReplayLetter[] /** Null: there are no more. */;
    readonly last: string | null;
  }>;
  /** Replays of a job that failed in a run. */
  failed(id: string, runId: string): Promise<number>;
}
