import path from "node:path";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import {
  pluginSchema,
  type Redactor,
  type ResolveReference,
  resolveReferences,
  splitSecrets,
} from "../../runtime/config/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import type { TriedPlugin, TypeDescription } from "../../runtime/ports/plugins.ts";
import { PluginError } from "./failure.ts";
import type { PluginTarget } from "./life.ts";
import { Plugin } from "./plugin.ts";
import { allowedProgram } from "./plugin-roots.ts";

/** What plugins are run with. */
export interface PluginSettings {
  readonly resolveReference: ResolveReference;
  /** Folders whose programs may be run (`SLUICE_PLUGIN_ROOTS`). */
  readonly roots: readonly string[];
  /** Names of the types that sluice comes with. */
  readonly builtIn: readonly string[];
  readonly logger: Logger;
  /** Learns the plugins' own secrets, and clears what they say. */
  readonly redactor: Redactor;
}

const mebibyte = 1024 * 1024;

interface PluginTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly server_name?: string;
}

/** As `pluginSchema` has it, references resolved. */
interface PluginSpec {
  readonly command?: readonly string[];
  readonly address?: string;
  readonly memory?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly tls: PluginTls;
}

/** Starts or reaches a plugin as configured. Throws why it cannot be, or what it does wrong. */
export async function tryPlugin(name: string, spec: JsonObject, settings: PluginSettings): Promise<TriedPlugin> {
  const { logger, builtIn } = settings;
  const { redact, redactError } = settings.redactor;
  const plugin = await Plugin.start({ name, plugin: () => pluginTarget(spec, settings), logger, redact }).catch(
    (error) => {
      throw redactError(error);
    },
  );
  const { type } = plugin;
  if (builtIn.includes(type.type)) {
    await plugin.stop();
    throw new SluiceError("CONFLICT", `plugin ${name} ${takesBuiltIn(type)}`);
  }
  return { type: { ...type, plugin: name }, close: () => plugin.stop() };
}

/** What a configuration means, with references resolved. */
export async function pluginTarget(
  given: JsonObject,
  { resolveReference, roots, redactor }: PluginSettings,
): Promise<PluginTarget> {
  if (given.command === undefined && given.address === undefined) throw new PluginError("UNAVAILABLE", noEngine(given));
  const secrets = { tls: given.tls ?? {}, env: given.env ?? {} };
  const resolved = (await resolveReferences(secrets, resolveReference)) as typeof secrets;
  // Invariant 7: whole from here on, in the program's environment or the connection, and nowhere else.
  redactor.addAll(splitSecrets(pluginSchema, resolved).secrets);
  const { command, address, memory, env, tls } = { ...given, ...resolved } as unknown as PluginSpec;
  if (command !== undefined) {
    const program = await allowedProgram(command[0] as string, roots);
    return {
      command: [program, ...command.slice(1)],
      cwd: path.dirname(program),
      env,
      ...(memory !== undefined && { memoryBytes: memory * mebibyte }),
    };
  }
  const { server_name: serverName, ...pem } = tls;
  if (given.tls === undefined) return { address: address as string };
  return { address: address as string, tls: { ...pem, ...(serverName !== undefined && { serverName }) } };
}

export const noEngine = ({ image }: JsonObject): string =>
  `has no container engine on this node to run ${image}: give the address at which it serves`;

export const takesBuiltIn = ({ type }: TypeDescription): string => `has the type ${type}, which sluice comes with`;
