/** Thrown when the reader of stdout has gone. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** stdout and stderr with their backpressure. A stderr that has gone is no reason to stop. */
export class Output {
  private readonly broken = { stdout: undefined as Error | undefined, stderr: false };

  constructor() {
    process.stdout.on("error", (error) => (this.broken.stdout = error));
    process.stderr.on("error", () => (this.broken.stderr = true));
  }

  /** Resolves when more may be written. Throws OutputClosed, or the error that stdout has. */
  async write(text: string): Promise<void> {
    this.check();
    if (text !== "" && !process.stdout.write(text)) await this.drained(process.stdout);
    this.check();
  }

  async writeError(text: string): Promise<void> {
    if (text === "" || this.broken.stderr) return;
    if (!process.stderr.write(text)) await this.drained(process.stderr);
  }

  /** Resolves when all that was written has left the process. */
  async flush(): Promise<void> {
    for (const stream of [process.stdout, process.stderr]) {
      if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write("", () => resolve()));
    }
    this.check();
  }

  private drained(stream: NodeJS.WriteStream): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        stream.off("drain", done);
        stream.off("error", done);
        stream.off("close", done);
        resolve();
      };
      for (const event of ["drain", "error", "close"]) stream.on(event, done);
    });
  }

  private check(): void {
    const error: NodeJS.ErrnoException | undefined = this.broken.stdout;
    if (error === undefined) return;
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") throw new OutputClosed();
    throw error;
  }
}
