import { execFile } from "node:child_process";
import { join } from "node:path";
import { freePort } from "../../adapters/embedded/ports.ts";
import { SupervisedServer, untilReady } from "../../adapters/embedded/supervised-server.ts";

/** Prometheus and promtool, as they are on PATH. Throws with what is missing. */
export async function findPrometheus(): Promise<void> {
  for (const program of ["prometheus", "promtool"]) {
    const { code, output } = await promtool(["--version"], { program });
    if (code !== 0) throw new Error(`${program} does not run: ${output}`);
  }
}

/** What a command of promtool says. */
export function promtool(
  args: readonly string[],
  { stdin, program = "promtool" }: { readonly stdin?: string; readonly program?: string } = {},
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: stdout + stderr || (error?.message ?? "") });
    });
    child.stdin?.on("error", () => {}).end(stdin);
  });
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface TestPrometheus {
  /** What an expression gives now. Throws where Prometheus does not take it. */
  query(expression: string): Promise<Sample[]>;
  /** Another answer of its API, such as `metadata` or `labels`. */
  api<T>(path: string): Promise<T>;
  stop(): Promise<void>;
}

/** A Prometheus with this configuration; `folder` is for its data and its log. */
export async function startPrometheus(folder: string, config: string): Promise<TestPrometheus> {
  const port = await freePort();
  const call = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`prometheus: ${path}: ${response.status} ${text}`);
    return text;
  };
  const api = async (path: string) => JSON.parse(await call(`/api/v1/${path}`)).data;
  const server = await SupervisedServer.start({
    name: "prometheus",
    logFile: join(folder, "prometheus.log"),
    command: async () => ({
      file: "prometheus",
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "tsdb")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      cwd: folder,
      env: process.env,
      stopSignal: "TERM",
    }),
    ready: (signal) => untilReady(() => call("/-/ready").then(() => undefined), signal),
  });
  return {
    api,
    async query(expression) {
      const { result } = (await api(`query?query=${encodeURIComponent(expression)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    stop: () => server.stop(),
  };
}
