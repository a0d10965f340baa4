import { readFileSync, writeFileSync } from "node:fs";
import type { PluginAddress } from "../../adapters/plugin/index.ts";
import { type CheckResult, checksOf, leastSecret, runChecks } from "../../connectors/conformance/suite.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { Redactor, splitSecrets } from "../../runtime/config/index.ts";
import { messageOf } from "../../runtime/errors/index.ts";
import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { type CertifyFile, readCertifyFile } from "../certify/certify-file.ts";
import { fixtureOf } from "../certify/fixture.ts";
import { lastLineOf, lineOf, reportOf } from "../certify/report.ts";
import { Trial, type Tried } from "../certify/trial.ts";
import { CommandError, exitCode, usageError } from "../exit.ts";
import { print, printJson } from "../output.ts";

const defaultLimitSeconds = 120;

export const certifySyntax: Syntax = {
  usage:
    "sluice plugin certify [--config FILE] [--only ID]... [--quick] [--report FILE] [--json] [--] COMMAND [ARG]... | ADDRESS",
  summary: "Tries a plugin by the contract of connectors, without a server.",
  options: {
    config: { type: "string", value: "FILE", help: "What to try it with: config, streams, records (YAML or JSON)." },
    only: { type: "string", value: "ID", multiple: true, help: "Only checks whose id begins so: read, write.append." },
    report: { type: "string", value: "FILE", help: "Write the report there, as JSON." },
    limit: { type: "string", value: "SECONDS", help: `How long a check may take (${defaultLimitSeconds}).` },
    ca: { type: "string", value: "FILE", help: "Of an address with mutual TLS: who signed its certificate (PEM)." },
    cert: { type: "string", value: "FILE", help: "Certificate to show there (PEM)." },
    key: { type: "string", value: "FILE", help: "Its key (PEM)." },
    quick: {
      type: "boolean",
      help: "Look at memory for 1 s and not for 6, and kill a reading at 2 positions at most.",
    },
    json: { type: "boolean", help: "Print the report as JSON." },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

export async function certify(argv: readonly string[]): Promise<number> {
  const args = parseArguments(certifySyntax, argv);
  if (args === null) return exitCode.done;
  const plugin = triedOf(
    args.positionals,
    ["ca", "cert", "key"].map((name) => args.string(name)),
  );
  const limitMs = 1_000 * (integerOption(args.string("limit"), "limit", 1, 3_600) ?? defaultLimitSeconds);
  const isJson = args.flag("json");
  const file: CertifyFile =
    args.string("config") === undefined ? { config: {} } : await readCertifyFile(args.string("config")!);
  const begin = new Date();
  const done = (result: CheckResult) => void (isJson || print(lineOf(result)));
  const { type, checks } = await results(plugin, file, {
    only: args.strings("only"),
    quick: args.flag("quick"),
    limitMs,
    done,
  });
  const tried = args.positionals.join(" ");
  const report = reportOf({ type, tried, sluice: versionOfSluice(), begin }, checks);
  if (args.string("report") !== undefined) writeReport(args.string("report")!, report);
  if (isJson) printJson(report);
  else print(`\n${lastLineOf(report)}`);
  return report.status === "passed" ? exitCode.done : exitCode.failed;
}

interface Options {
  readonly only: readonly string[];
  readonly quick: boolean;
  readonly limitMs: number;
  done(result: CheckResult): void;
}

/** One that does not even start has failed the first check. */
async function results(plugin: Tried, file: CertifyFile, { only, quick, limitMs, done }: Options) {
  // Invariant 7: what it quotes of them is not in the report.
  const redactor = new Redactor({ shortest: leastSecret });
  redactor.addAll(file.env);
  const failed = (id: string, title: string, error: unknown): CheckResult => {
    const reason = redactor.redact(messageOf(error));
    const result = { id, title, status: "failed" as const, reason, seconds: 0 };
    done(result);
    return result;
  };
  let trial: Trial;
  try {
    trial = await Trial.start(plugin, file.env);
  } catch (error) {
    return { type: null, checks: [failed("spec.start", "it starts, and says what it is", error)] };
  }
  const { type } = trial;
  for (const config of configsIn(file)) redactor.addAll(splitSecrets(type.config, config).secrets);
  try {
    const all = checksOf(type);
    const wanted = only.length === 0 ? all : all.filter(({ id }) => only.some((each) => id.startsWith(each)));
    if (wanted.length === 0)
      throw usageError(`--only: there is no such check for ${type.type}: ${all.map(({ id }) => id).join(", ")}`);
    let fixture: Awaited<ReturnType<typeof fixtureOf>>;
    try {
      fixture = await fixtureOf(type, file);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      return { type, checks: [failed("read.first", "the stream that is named can be read", error)] };
    }
    const connector = type.create(file.config, fixture.context);
    const checks = await runChecks({ type, fixture, connector, plugin: trial, quick }, wanted, {
      limitMs,
      done,
      redact: redactor.redact,
    });
    await connector.close();
    return { type, checks };
  } finally {
    await trial.stop();
  }
}

/** All that a plugin is configured with in a trial, or parts of it. */
function configsIn({ config, bad_configs = [], bad_credentials = [], source, destination }: CertifyFile): JsonObject[] {
  const parts = [source?.large?.set, source?.limited, destination?.limited];
  return [
    config,
    ...bad_credentials,
    ...bad_configs.map(({ set }) => set),
    ...parts.filter((part) => part !== undefined),
  ];
}

/** One argument with blanks in it is a command line; quotes keep blanks together. */
function triedOf(positionals: readonly string[], pems: readonly (string | undefined)[]): Tried {
  const [first = ""] = positionals;
  if (positionals.length > 1) return { command: positionals as [string, ...string[]] };
  if (/^(unix:.+|[^\s:/]+:\d+)$/.test(first)) return { address: first, ...tlsOf(pems) };
  const words = [...first.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  if (words.length === 0) throw usageError("a command or an address is missing");
  return { command: words as [string, ...string[]] };
}

function tlsOf(files: readonly (string | undefined)[]): Pick<PluginAddress, "tls"> {
  const given = files.filter((file) => file !== undefined);
  if (given.length === 0) return {};
  if (given.length < files.length) throw usageError("mutual TLS takes --ca, --cert and --key");
  try {
    const [ca, cert, key] = given.map((file) => readFileSync(file, "utf8")) as [string, string, string];
    return { tls: { ca, cert, key } };
  } catch (error) {
    throw usageError(messageOf(error));
  }
}

function writeReport(file: string, report: object): void {
  try {
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    throw usageError(`--report: ${messageOf(error)}`);
  }
}

function versionOfSluice(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
