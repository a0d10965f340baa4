import { join } from "node:path";
import { goProgram } from "../../adapters/embedded/go-build.ts";
import { freePort } from "../../adapters/embedded/ports.ts";
import { SupervisedServer, untilReady } from "../../adapters/embedded/supervised-server.ts";
import { type CachedProgram, type FindOptions, findGoProgram } from "./go-program.ts";

const program: CachedProgram = {
  // The version that deploy/services/jaeger/go.mod pins.
  version: "1.76.0",
  inGo: goProgram("jaeger", "jaeger", "github.com/jaegertracing/jaeger/cmd/all-in-one", { takes: "three minutes" }),
  neededBy: "The tests of traces",
};

export const findJaeger = (options?: FindOptions): Promise<string> => findGoProgram(program, options);

/** A test that has to wait for the build of the server waits so long. */
export const jaegerBuildMs = 25 * 60_000;

/** As the query API has it. */
export interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly {
    readonly refType: "CHILD_OF" | "FOLLOWS_FROM";
    readonly traceID: string;
    readonly spanID: string;
  }[];
  readonly tags: readonly { readonly key: string; readonly value: string | number | boolean }[];
  readonly processID: string;
}

export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: {
    readonly [id: string]: { readonly serviceName: string; readonly tags: JaegerSpan["tags"] };
  };
}

export interface TestJaeger {
  /** Takes OTLP over HTTP. */
  readonly otlp: string;
  /** Null: it has no such trace, yet. */
  trace(id: string): Promise<JaegerTrace | null>;
  /** The latest traces of a service. */
  traces(service: string): Promise<readonly JaegerTrace[]>;
  stop(): Promise<void>;
}

/** All of Jaeger in one process, with its traces in memory. `folder` is for its log. */
export async function startJaeger(folder: string): Promise<TestJaeger> {
  const file = await findJaeger();
  const ports = await Promise.all(Array.from({ length: 7 }, freePort));
  const at = ports.map((port) => `127.0.0.1:${port}`);
  const flags = [
    "query.http-server.host-port",
    "collector.otlp.http.host-port",
    "collector.otlp.grpc.host-port",
    "query.grpc-server.host-port",
    "collector.grpc-server.host-port",
    "collector.http-server.host-port",
    "admin.http.host-port",
  ];
  const query = `http://${at[0]}/api/traces`;
  const ask = async (url: string): Promise<readonly JaegerTrace[]> => {
    const response = await fetch(url);
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(`jaeger: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: JaegerTrace[] | null }).data ?? [];
  };
  const server = await SupervisedServer.start({
    name: "jaeger",
    logFile: join(folder, "jaeger.log"),
    command: async () => ({
      file,
      args: flags.map((flag, i) => `--${flag}=${at[i]}`),
      cwd: folder,
      env: { ...process.env, HOME: folder, SPAN_STORAGE_TYPE: "memory" },
      stopSignal: "TERM",
    }),
    ready: (signal) => untilReady(() => ask(`${query}?service=none`).then(() => undefined), signal),
  });
  return {
    otlp: `http://${at[1]}`,
    trace: async (id) => (await ask(`${query}/${id}`))[0] ?? null,
    traces: (service) => ask(`${query}?service=${service}&limit=100`),
    stop: () => server.stop(),
  };
}
