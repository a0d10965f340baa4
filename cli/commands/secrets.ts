import { parseArguments, type Syntax } from "../arguments.ts";
import { createClient } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson, printTable } from "../output.ts";
import { subcommand } from "../subcommand.ts";

interface Status {
  readonly provider: string;
  readonly key_version: string;
  readonly versions: readonly {
    readonly key_version: string;
    readonly sealed: number;
    readonly current: boolean;
  }[];
}

interface Rotation {
  readonly provider: string;
  readonly key_version: string;
  readonly new_key: boolean;
  readonly rewrapped: number;
  readonly unchanged: number;
  readonly failed: readonly { readonly name: string; readonly message: string }[];
}

const syntax = (name: string, summary: string): Syntax => ({
  usage: `sluice secrets ${name} [--json]`,
  summary,
  options: { json: { type: "boolean", help: "Print as JSON." } },
  positionals: [0, 0],
});

const statusSyntax = syntax("status", "Shows where the key is, and what is sealed under which version.");
const rotateSyntax = syntax("rotate", "Wraps the data keys of connectors, plugins and webhooks by the newest key.");

export const secrets = subcommand("secrets", "Looks after the key that secrets are sealed with.", {
  status: { summary: statusSyntax.summary, run: status },
  rotate: { summary: rotateSyntax.summary, run: rotate },
});

async function status(argv: readonly string[]): Promise<number> {
  const args = parseArguments(statusSyntax, argv);
  if (args === null) return exitCode.done;
  const found = await createClient().call<Status>("GET", "/v1/secrets");
  if (args.flag("json")) {
    printJson(found);
    return exitCode.done;
  }
  print(`Key: ${found.provider}, ${found.key_version}`);
  printTable(
    ["KEY VERSION", "SEALED", ""],
    found.versions.map(({ key_version, sealed, current }) => [key_version, sealed, current ? "current" : "older"]),
  );
  return exitCode.done;
}

async function rotate(argv: readonly string[]): Promise<number> {
  const args = parseArguments(rotateSyntax, argv);
  if (args === null) return exitCode.done;
  const done = await createClient().call<Rotation>("POST", "/v1/secrets/rotate");
  if (args.flag("json")) printJson(done);
  else {
    const made = done.new_key ? "new key" : "key";
    print(`${done.rewrapped} rewrapped, ${done.unchanged} unchanged: ${made} ${done.key_version}`);
  }
  for (const { name, message } of done.failed) note(`${name}: ${message}`);
  return done.failed.length > 0 ? exitCode.failed : exitCode.done;
}
