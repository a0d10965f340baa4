import { unknownName } from "../runtime/errors/index.ts";
import { exitCode, usageError } from "./exit.ts";

export interface Subcommand {
  readonly summary: string;
  run(argv: readonly string[]): Promise<number>;
}

/** A command of commands: `sluice dlq list`. */
export function subcommand(name: string, summary: string, commands: Readonly<Record<string, Subcommand>>) {
  const names = Object.keys(commands);
  return async ([first, ...rest]: readonly string[]): Promise<number> => {
    if (first === "--help" || first === "-h") {
      const lines = names.map((each) => `  sluice ${name} ${each.padEnd(10)}${commands[each]!.summary}`);
      process.stdout.write(`${summary}\n\n${lines.join("\n")}\n\nsluice ${name} COMMAND --help tells more.\n`);
      return exitCode.done;
    }
    const known = `sluice ${name} ${names.join("|")}`;
    if (first === undefined) throw usageError(`a command is missing; usage: ${known}`);
    const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
    if (command === undefined) throw usageError(`${unknownName("command", first, names)} (usage: ${known})`);
    return command.run(rest);
  };
}
