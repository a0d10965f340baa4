import type { Json } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import type { Identity, Scope } from "../auth/index.ts";
import type { IfMatch, Services } from "../services/index.ts";

/** One operation of the API: what serves it, checks it and documents it. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With parameters in braces: `/v1/runs/{id}`. */
  readonly path: string;
  readonly operationId: string;
  /** What a caller must be allowed, all of it. */
  readonly scopes: readonly Scope[];
  readonly tag: string;
  readonly summary: string;
  /** Schemas of the query's parameters, each a scalar; no others are taken. */
  readonly query?: Readonly<Record<string, Part>>;
  /** Schema of the body; left out: none is taken. The service checks it. */
  readonly body?: Part;
  /** The body may be left out. */
  readonly bodyOptional?: true;
  readonly answer: {
    readonly status: number;
    readonly description: string;
    readonly schema?: Part;
    /** Of 201: the field that the path of what was made ends with; left out: its id. */
    readonly key?: "name";
    /** Of 202: where what was begun is found, by its id. */
    readonly location?: "/v1/runs" | "/v1/jobs";
    /** It has what is shown once. */
    readonly isSecret?: true;
    /** It is server-sent events, without an end: `handle` gives an EventStream. */
    readonly isStream?: true;
  };
  /** Its answer is of a version: that is its ETag, and where something is changed, If-Match is honoured. */
  readonly versioned?: true;
  /** It moves records: the number of requests that everybody has does not bound it. */
  readonly isData?: true;
  /** Statuses of the problems it may answer with, besides 400, 401, 403, 404 (with an id), 500, 503 and 504. */
  readonly problems?: readonly number[];
  /** Resolves with the body of the answer; undefined for none. The services are those of who asks. */
  handle(request: RouteRequest, services: Services): Promise<object | undefined>;
}

export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>;
  /** Checked and converted; defaults filled in. */
  readonly query: Readonly<Record<string, Json>>;
  readonly body: Json;
  /** What the caller means to change, by If-Match; null: whatever is there. */
  readonly ifMatch: IfMatch;
  readonly caller: Identity;
  /** Calls back where whoever asks goes away before the answer. */
  readonly onGone: (listener: () => void) => void;
}
