import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { unknownName } from "../../runtime/errors/index.ts";
import { byName, type Client, createClient, type Named } from "../client.ts";
import { readConfiguration } from "../config-file.ts";
import { exitCode, usageError } from "../exit.ts";
import { type Guarantee, guaranteesOf, type Surroundings } from "../guarantees/index.ts";
import { note, print, printJson } from "../output.ts";
import { checkFiles, lineOf, located } from "./lint.ts";

/** An integration's spec, and the types of the connectors that are known, by name. */
interface Found {
  readonly name: string;
  readonly spec: JsonObject;
  readonly types: ReadonlyMap<string, string>;
  /** As the server's node has it. */
  readonly nats?: Surroundings["nats"];
}

/** `sluice doctor --guarantees`: what is promised of one integration, of the server or of files. */
export async function doctorGuarantees(wanted: string, files: readonly string[], json: boolean): Promise<number> {
  const found = files.length > 0 ? await ofFiles(wanted, files) : await ofServer(wanted, createClient());
  if (found === null) return exitCode.usage;
  const typeOf = (connector: string) => found.types.get(connector);
  const surroundings = { typeOf, ...servers(files.length > 0), ...(found.nats && { nats: found.nats }) };
  const guarantees = guaranteesOf(resolveIntegration(found.spec), surroundings);
  if (json) printJson({ integration: found.name, guarantees });
  else for (const line of guaranteesText(found.name, guarantees)) print(line);
  return exitCode.done;
}

/** As `sluice up` would have them in this environment; a server named by SLUICE_URL has an environment of its own. */
function servers(offline: boolean, env: NodeJS.ProcessEnv = process.env): Pick<Surroundings, "nats" | "postgres"> {
  const otherwise = env.SLUICE_URL && !offline ? "elsewhere" : "embedded";
  return {
    nats: env.SLUICE_NATS_URL ? "external" : otherwise,
    postgres: env.SLUICE_DATABASE_URL ? "external" : otherwise,
  };
}

/** Null where the configuration is not in order: that was told with its places. */
async function ofFiles(wanted: string, files: readonly string[]): Promise<Found | null> {
  const config = readConfiguration(files);
  const errors = "errors" in config ? config.errors : located(config, (await checkFiles(config)).errors);
  for (const finding of errors) note(lineOf(finding));
  if ("errors" in config || errors.length > 0) return null;
  const { integrations = [], connectors = [] } = config.value as Record<string, readonly JsonObject[]>;
  const spec = integrations.find(({ name }) => name === wanted);
  if (spec === undefined) {
    const known = integrations.map(({ name }) => name as string);
    throw usageError(unknownName("integration", wanted, known));
  }
  return { name: wanted, spec, types: new Map(connectors.map(({ name, type }) => [name as string, type as string])) };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

async function ofServer(wanted: string, client: Client): Promise<Found> {
  const spec = uuid.test(wanted)
    ? await client.call<JsonObject & Named>("GET", `/v1/integrations/${wanted}`)
    : await byName<JsonObject & Named>(client, "integration", wanted);
  const { sources, destinations } = resolveIntegration(spec);
  const names = new Set([...sources, ...destinations].map(({ connector }) => connector));
  const typed = [...names].map(async (name): Promise<[string, string]> => {
    const { type } = await byName<Named & { readonly type: string }>(client, "connector", name);
    return [name, type];
  });
  const { tier } = spec.durability as { readonly tier: keyof typeof natsOf };
  return { name: spec.name, spec, types: new Map(await Promise.all(typed)), nats: natsOf[tier] };
}

const natsOf = { synced: "embedded", replicated: "replicated", server: "external" } as const;

/** A promise a line, where it ends below it, then the tests. */
function guaranteesText(name: string, guarantees: readonly Guarantee[]): string[] {
  const width = Math.max(...guarantees.map(({ about }) => about.length)) + 2;
  const below = (text: string) => " ".repeat(width) + text;
  return [
    `${name}: what is promised as it is configured, where that ends (-), the tests that hold it, and the scenarios (npm run chaos -- --only SCENARIO) that show it`,
    ...guarantees.flatMap(({ about, promise, limits, held_by, shown_by: { scenarios, load } }) => [
      "",
      about.padEnd(width) + promise,
      ...limits.map((limit) => below(`- ${limit}`)),
      ...(held_by.length === 0 ? [] : [below(`held by ${held_by.join(", ")}`)]),
      ...(scenarios.length === 0
        ? []
        : [below(`shown by ${load === null ? "" : `load ${load} in `}${scenarios.join(", ")}`)]),
    ]),
  ];
}
