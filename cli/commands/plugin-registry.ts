import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { messageOf, unknownName } from "../../runtime/errors/index.ts";
import { type Arguments, integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { type Client, createClient, type List, ProblemError } from "../client.ts";
import { CommandError, exitCode, usageError } from "../exit.ts";
import { note, print, printJson, printTable } from "../output.ts";
import type { Subcommand } from "../subcommand.ts";

interface Plugin extends JsonObject {
  readonly name: string;
  readonly command?: string[];
  readonly address?: string;
  readonly image?: string;
  readonly serves: { readonly type: string; readonly version: string } | null;
  readonly state: { readonly status: string; readonly reason: string | null };
}

const json = { type: "boolean", help: "Print as JSON." } as const;

const listSyntax: Syntax = {
  usage: "sluice plugin list [--json]",
  summary: "Lists the plugins, with their state on the server that answers.",
  options: { json },
  positionals: [0, 0],
};

const showSyntax: Syntax = {
  usage: "sluice plugin show NAME [--json]",
  summary: "Shows a plugin, its secrets as ***.",
  options: { json },
  positionals: [1, 1],
};

const addSyntax: Syntax = {
  usage: "sluice plugin add NAME [--address ADDRESS] [--json] [-- PROGRAM [ARG]...]",
  summary: "Registers a plugin by a program or an address, or changes the one of that name.",
  options: {
    address: { type: "string", value: "ADDRESS", help: "Where it serves: unix:/PATH or HOST:PORT." },
    image: { type: "string", value: "IMAGE", help: "Image that runs at the address, for what deploys it." },
    ca: { type: "string", value: "FILE", help: "Certificates (PEM) that the plugin's is held against." },
    cert: { type: "string", value: "FILE", help: "Certificate (PEM) that sluice shows." },
    key: { type: "string", value: "FILE", help: "Its private key (PEM)." },
    "server-name": { type: "string", value: "NAME", help: "Name in the plugin's certificate." },
    memory: { type: "string", value: "MIB", help: "Memory that its program may take (1024)." },
    env: { type: "string", value: "NAME=VALUE", multiple: true, help: "For its program; SLUICE_PLUGIN_ in front." },
    "skip-checks": { type: "boolean", help: "Take it also where it cannot be started or reached now." },
    force: { type: "boolean", help: "Also where connectors are left without their type." },
    json,
  },
  positionals: [1, Number.POSITIVE_INFINITY],
};

const removeSyntax: Syntax = {
  usage: "sluice plugin remove NAME [--force]",
  summary: "Removes a plugin whose type no connector uses.",
  options: { force: { type: "boolean", help: "Also where connectors are left without their type." } },
  positionals: [1, 1],
};

/** The plugins of a server. */
export const pluginRegistry: Readonly<Record<string, Subcommand>> = {
  list: { summary: listSyntax.summary, run: list },
  show: { summary: showSyntax.summary, run: show },
  add: { summary: addSyntax.summary, run: add },
  remove: { summary: removeSyntax.summary, run: remove },
};

async function list(argv: readonly string[]): Promise<number> {
  const args = parseArguments(listSyntax, argv);
  if (args === null) return exitCode.done;
  const items = await all(createClient());
  if (args.flag("json")) printJson({ items, next_cursor: null });
  else {
    const row = (plugin: Plugin) => [
      plugin.name,
      served(plugin),
      plugin.state.status,
      where(plugin),
      plugin.state.reason,
    ];
    printTable(["NAME", "SERVES", "STATE", "AT", "REASON"], items.map(row));
  }
  return exitCode.done;
}

async function show(argv: readonly string[]): Promise<number> {
  const args = parseArguments(showSyntax, argv);
  if (args === null) return exitCode.done;
  const plugin = await one(createClient(), args.positionals[0]!);
  if (args.flag("json")) printJson(plugin);
  else process.stdout.write(stringify(plugin, { lineWidth: 0 }));
  return exitCode.done;
}

async function add(argv: readonly string[]): Promise<number> {
  const args = parseArguments(addSyntax, argv);
  if (args === null) return exitCode.done;
  const [name, ...command] = args.positionals as [string, ...string[]];
  const body = bodyOf(args, command);
  const client = createClient();
  const known = (await all(client)).some((plugin) => plugin.name === name);
  const query = args.flag("skip-checks") ? "?skip_checks=true" : "?skip_checks=false";
  const plugin = known
    ? await forceable(client.call<Plugin>("PUT", `${path(name)}${query}&force=${args.flag("force")}`, body))
    : await client.call<Plugin>("POST", `/v1/plugins${query}`, { name, ...body });
  if (args.flag("json")) printJson(plugin);
  else print(`${name}: ${known ? "changed" : "added"}, serves ${served(plugin) ?? "what is not known yet"}`);
  return exitCode.done;
}

async function remove(argv: readonly string[]): Promise<number> {
  const args = parseArguments(removeSyntax, argv);
  if (args === null) return exitCode.done;
  const name = args.positionals[0]!;
  const client = createClient();
  await one(client, name);
  await forceable(client.call("DELETE", `${path(name)}?force=${args.flag("force")}`));
  note(`${name}: removed`);
  return exitCode.done;
}

/** Rethrows a refusal that `--force` is there for, saying so. */
async function forceable<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    const isRefused = error instanceof ProblemError && error.status === 409;
    if (!isRefused || !/^nothing was changed|is used by/.test(error.message)) throw error;
    throw new CommandError(`${error.message}; --force does it all the same`, error.exit);
  });
}

function bodyOf(args: Arguments, command: readonly string[]): JsonObject {
  const memory = integerOption(args.string("memory"), "memory", 16, 1024 * 1024);
  const env = args.strings("env").map((given): [string, string] => {
    const equals = given.indexOf("=");
    if (equals < 1) throw usageError(`--env ${given}: NAME=VALUE is wanted`);
    return [given.slice(0, equals), given.slice(equals + 1)];
  });
  const pem = (option: string) => {
    const file = args.string(option);
    return file === undefined ? {} : { [option]: textOf(file, option) };
  };
  const serverName = args.string("server-name");
  const tls = { ...pem("ca"), ...pem("cert"), ...pem("key"), ...(serverName && { server_name: serverName }) };
  const address = args.string("address");
  const image = args.string("image");
  return {
    ...(command.length > 0 && { command: [...command] }),
    ...(address !== undefined && { address }),
    ...(image !== undefined && { image }),
    ...(Object.keys(tls).length > 0 && { tls }),
    ...(memory !== undefined && { memory }),
    ...(env.length > 0 && { env: Object.fromEntries(env) }),
  };
}

function textOf(file: string, option: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usageError(`--${option}: ${messageOf(error)}`);
  }
}

async function all(client: Client): Promise<Plugin[]> {
  const items: Plugin[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: List<Plugin> = await client.call("GET", `/v1/plugins?limit=200${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

/** Throws a usage error with the nearest name where there is none. */
async function one(client: Client, name: string): Promise<Plugin> {
  try {
    return await client.call<Plugin>("GET", path(name));
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status !== 404) throw error;
    const names = (await all(client)).map((plugin) => plugin.name);
    throw usageError(unknownName("plugin", name, names));
  }
}

const path = (name: string) => `/v1/plugins/${encodeURIComponent(name)}`;
const served = ({ serves }: Plugin) => serves && `${serves.type} ${serves.version}`;
const where = ({ command, address, image }: Plugin) => command?.join(" ") ?? address ?? image;
