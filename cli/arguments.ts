import { parseArgs } from "node:util";
import { unknownName } from "../runtime/errors/index.ts";
import { usageError } from "./exit.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly help: string;
  /** What stands for the value in the help: `--limit N`. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: true;
}

/** How a command is called: parses its arguments and writes its help. */
export interface Syntax {
  /** `sluice runs NAME`, without the options. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Fewest and most arguments that are no options. */
  readonly positionals: readonly [number, number];
}

export interface Arguments {
  readonly positionals: readonly string[];
  string(option: string): string | undefined;
  /** All values of an option that may be given several times. */
  strings(option: string): readonly string[];
  flag(option: string): boolean;
}

/** The arguments, or null when help was asked for and printed. Throws a usage error for what the syntax has not. */
export function parseArguments(syntax: Syntax, argv: readonly string[]): Arguments | null {
  const { tokens, values, positionals } = parseArgs({
    args: [...argv],
    options: { ...syntax.options, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const seeHelp = `; see ${commandOf(syntax)} --help`;
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option = token.name === "help" ? { type: "boolean" } : known(syntax, token.name);
    if (option === undefined) throw usageError(unknownOption(token.rawName, syntax) + seeHelp);
    if (option.type === "string" && token.value === undefined)
      throw usageError(`${token.rawName} needs a value${seeHelp}`);
    if (option.type === "boolean" && token.value !== undefined)
      throw usageError(`${token.rawName} takes no value${seeHelp}`);
  }
  if (values.help === true) {
    process.stdout.write(helpOf(syntax));
    return null;
  }
  const [fewest, most] = syntax.positionals;
  if (positionals.length < fewest || positionals.length > most) {
    const fault =
      positionals.length < fewest ? "an argument is missing" : `${positionals[most]} is one argument too many`;
    throw usageError(`${fault}; usage: ${syntax.usage}`);
  }
  return {
    positionals,
    string: (option) => values[option] as string | undefined,
    strings: (option) => (values[option] ?? []) as readonly string[],
    flag: (option) => values[option] === true,
  };
}

const known = ({ options }: Syntax, name: string) => (Object.hasOwn(options, name) ? options[name] : undefined);
const commandOf = ({ usage }: Syntax) => usage.split(/ (?=[A-Z[-])/, 1)[0]!;

function unknownOption(given: string, { options }: Syntax): string {
  return unknownName(
    "option",
    given,
    [...Object.keys(options), "help"].map((name) => `--${name}`),
  ).replaceAll('"', "");
}

function helpOf({ usage, summary, options }: Syntax): string {
  const rows = Object.entries({ ...options, help: { help: "Show this." } as Option }).map(([name, { value, help }]) => [
    `  --${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  ]);
  const width = Math.max(...rows.map(([option]) => option!.length)) + 2;
  const lines = rows.map(([option, help]) => option!.padEnd(width) + help);
  return `${summary}\n\nUsage: ${usage}\n\n${lines.join("\n")}\n`;
}

/** A whole number given as an option. */
export function integerOption(
  given: string | undefined,
  name: string,
  least: number,
  most: number,
): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= least && value <= most) return value;
  throw usageError(`--${name} must be a whole number from ${least} to ${most}, not ${given}`);
}
