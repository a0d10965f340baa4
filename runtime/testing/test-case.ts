import type { ErrorCode, Fault, Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { ResolvedSource } from "../config/index.ts";

/** The shape that the schema guarantees; what is left out has the schema's default. */
export interface TestFile {
  readonly config?: string;
  readonly tests: readonly TestCase[];
}

export interface TestCase {
  readonly name: string;
  readonly integration: string;
  readonly given: {
    readonly records?: GivenRecords;
    readonly streams?: Readonly<Record<string, GivenRecords>>;
    readonly batch?: number;
    readonly schema?: JsonSchema;
    readonly at?: string;
  };
  readonly lookups?: Readonly<Record<string, readonly LookupAnswer[]>>;
  readonly faults?: Faults;
  readonly stop_after?: string;
  readonly expect: Expectations;
}

export type GivenRecords = readonly JsonObject[] | { readonly file: string };

export interface FailingCall {
  readonly code: ErrorCode;
  readonly message?: string;
  readonly retry_after?: string;
  readonly fault?: Fault;
}

/** One or several calls in a row. */
export interface Call extends Omit<FailingCall, "code"> {
  readonly code: ErrorCode | "OK";
  readonly times?: number | "always";
  readonly written?: boolean;
}

export interface RefusedRecords extends Omit<FailingCall, "fault"> {
  readonly where: string;
  readonly times?: number;
}

export interface LookupAnswer {
  readonly request: Json;
  readonly answer?: Json;
  readonly fail?: Omit<FailingCall, "fault"> & { readonly times?: number };
}

export interface Crash {
  readonly before: "append" | "write" | "commit" | "ack";
  readonly nth?: number;
  readonly destination?: string;
}

export interface Duplicate {
  readonly batch?: number;
  readonly destination?: string;
}

export interface Faults {
  readonly sources?: Readonly<Record<string, { readonly reads?: readonly Call[] }>>;
  readonly destinations?: Readonly<
    Record<string, { readonly writes?: readonly Call[]; readonly records?: readonly RefusedRecords[] }>
  >;
  readonly crashes?: readonly Crash[];
  readonly duplicates?: readonly Duplicate[];
}

export interface ExpectedOutput {
  readonly records?: readonly Json[];
  readonly order?: "given" | "any";
  readonly duplicates?: boolean;
  readonly contains?: readonly Json[];
  readonly count?: number;
}

export interface ExpectedDeadLetter {
  readonly step?: string;
  readonly destination?: string;
  readonly rule?: number;
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly record?: Json;
  readonly state?: Json;
  readonly attempts?: number;
}

export interface Expectations {
  readonly outputs?: Readonly<Record<string, readonly Json[] | ExpectedOutput>>;
  readonly dead_letters?: readonly ExpectedDeadLetter[];
  readonly attempts?: Readonly<Record<string, number | readonly { readonly where: string; readonly count: number }[]>>;
  readonly acks?: "all" | "none";
  readonly counts?: Readonly<Partial<Record<"in" | "out" | "filtered" | "failed", number>>>;
  readonly status?: "success" | "partial" | "failed" | "running";
  readonly error?: { readonly code?: ErrorCode; readonly message?: string; readonly path?: string };
  readonly waiting?: string;
  readonly elapsed?: { readonly at_least?: string; readonly at_most?: string };
}

/** How a test may name a source. */
export const sourceNames = ({ connector, stream }: Pick<ResolvedSource, "connector" | "stream">): readonly string[] => [
  stream,
  `${connector}/${stream}`,
];

/** The name by which a test speaks of a source, where it does. */
export function nameOf(source: ResolvedSource, by: object | undefined): string | undefined {
  return sourceNames(source).findLast((each) => by && Object.hasOwn(by, each));
}

/** The records of a source: the test's only ones, or those of its stream. */
export function givenTo(source: ResolvedSource, { given: { records, streams } }: TestCase): GivenRecords {
  return records ?? streams?.[nameOf(source, streams) ?? ""] ?? [];
}
