import { parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient } from "../client.ts";
import {
  checkServer,
  diskCheck,
  environmentChecks,
  folderCheck,
  natsCheck,
  nodeCheck,
  portCheck,
  postgresCheck,
} from "../doctor-checks.ts";
import { exitCode, usageError } from "../exit.ts";
import { readNodeSettings } from "../node-settings.ts";
import { print, printJson } from "../output.ts";
import { doctorGuarantees } from "./doctor-guarantees.ts";

const syntax: Syntax = {
  usage: "sluice doctor [--guarantees INTEGRATION [FILE...]] [--seen INTEGRATION] [--json]",
  summary: [
    "Checks whether this machine can run a node, and whether the server answers.",
    "With --guarantees: what is promised of an integration on the server, or of configuration files.",
  ].join("\n"),
  options: {
    guarantees: { type: "string", value: "INTEGRATION", help: "What is promised of it, and the tests that hold it." },
    seen: { type: "string", value: "INTEGRATION", help: "What it says was lost you have seen: it is told no more." },
    json: { type: "boolean", help: "Print as JSON." },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
};

/** Exit code 1 when something would keep a node from starting. */
export async function doctor(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const integration = args.string("guarantees");
  if (integration !== undefined) return doctorGuarantees(integration, args.positionals, args.flag("json"));
  const seen = args.string("seen");
  if (seen !== undefined) return seeLosses(seen);
  if (args.positionals.length > 0) throw usageError("configuration files go with --guarantees INTEGRATION");
  const settings = readNodeSettings();
  const server = await checkServer();
  const running = server.some(({ name, status }) => name === "server" && status === "ok");
  const port = (name: string, number: number, setting: string) => portCheck(name, number, setting, running);
  const checks = await Promise.all([
    nodeCheck(),
    natsCheck(settings.natsUrl),
    postgresCheck(settings.databaseUrl),
    port("port http", settings.httpPort, "SLUICE_HTTP_PORT"),
    ...(settings.grpcPort === undefined ? [] : [port("port grpc", settings.grpcPort, "SLUICE_GRPC_PORT")]),
    ...(settings.natsUrl === undefined ? [port("port nats", settings.natsPort, "SLUICE_NATS_PORT")] : []),
    ...(settings.databaseUrl === undefined
      ? [port("port postgres", settings.postgresPort, "SLUICE_POSTGRES_PORT")]
      : []),
    folderCheck(settings.dataDir),
    diskCheck(settings.dataDir),
    ...environmentChecks(process.env),
    ...server,
  ]);
  if (args.flag("json")) printJson({ checks });
  else for (const { name, status, detail } of checks) print(`${status.padEnd(6)}${name.padEnd(16)}${detail}`);
  return checks.some(({ status }) => status === "fail") ? exitCode.failed : exitCode.done;
}

async function seeLosses(name: string): Promise<number> {
  const client = createClient();
  const { id } = await byName(client, "integration", name);
  await client.call("PUT", `/v1/integrations/${id}/losses/seen`);
  print(`${name}: what was lost is told no more`);
  return exitCode.done;
}
