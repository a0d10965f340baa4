import type { Client } from "./client.ts";
import type { Run } from "./run-resource.ts";

/** Shows how a run does, on stderr: a line that is rewritten at a terminal, a line every few seconds elsewhere. */
export interface Progress {
  show(run: Run): Promise<void>;
  /** Something else than counts. */
  say(message: string): void;
  close(): void;
}

const everyMs = { terminal: 500, plain: 5_000 };

export function createProgress(client: Client, name: string): Progress {
  const { stderr } = process;
  const terminal = stderr.isTTY === true;
  let shownAt = performance.now();
  let counted = { at: performance.now(), records: 0 };
  let rate = 0;
  let said = "";

  const write = (text: string) => {
    stderr.write(terminal ? `\r\u001b[2K${text.slice(0, Math.max(20, stderr.columns - 1))}` : `${text}\n`);
  };
  return {
    async show(run) {
      const now = performance.now();
      if (run.status !== "running" || now - shownAt < (terminal ? everyMs.terminal : everyMs.plain)) return;
      shownAt = now;
      rate = ((run.records_in - counted.records) * 1_000) / (now - counted.at);
      counted = { at: now, records: run.records_in };
      const lag = await lagOf(client, name);
      const parts = [
        `in ${number(run.records_in)}`,
        `out ${number(run.records_out)}`,
        `filtered ${number(run.records_filtered)}`,
        `failed ${number(run.records_failed)}`,
        `${number(rate)} records/s`,
        ...(lag === null ? [] : [`lag ${number(lag)}`]),
        ...(run.waiting === null ? [] : [`waiting: ${run.waiting}`]),
      ];
      write(`${name}: ${parts.join("  ")}`);
    },
    say(message) {
      if (message === said && !terminal) return;
      said = message;
      write(`${name}: ${message}`);
    },
    close() {
      if (terminal) stderr.write("\r\u001b[2K");
    },
  };
}

const number = (value: number): string => Math.round(value).toLocaleString("en");

/** What the integration's consumers have not settled yet, by the server's metrics; null where they do not say. */
async function lagOf(client: Client, name: string): Promise<number | null> {
  try {
    return lagIn(await client.text("/metrics"), name);
  } catch {
    return null; // The counts are shown without it.
  }
}

export function lagIn(metrics: string, integration: string): number | null {
  const label = `integration="${integration}"`;
  const values = metrics
    .split("\n")
    .filter((line) => line.startsWith("sluice_consumer_lag{") && line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}
