/** Exit codes of the command line (contract section 10). */
export const exitCode = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Ends a command with a sentence for a person and an exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exit: ExitCode;

  constructor(message: string, exit: ExitCode) {
    super(message);
    this.exit = exit;
  }
}

/** The command was not called as it can be. */
export const usageError = (message: string): CommandError => new CommandError(message, exitCode.usage);
