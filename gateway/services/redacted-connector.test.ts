import { expect, test } from "vitest";
import type { Connector, Destination, ReadBatch, Source } from "../../connectors/sdk/index.ts";
import { Redactor } from "../../runtime/config/index.ts";
import { redactedConnector } from "./redacted-connector.ts";

const secret = "hunter2-hunter2";
const rude = () => new Error(`the server says: ${Buffer.from(`me:${secret}`).toString("base64")} is not ${secret}`);
const raw = new TextEncoder().encode(secret);

/** With private members, as connectors have them. */
class RudeSource implements Source {
  #closed = false;
  async *read(): AsyncGenerator<ReadBatch> {
    const failures = [{ index: 0, code: "VALIDATION_ERROR" as const, message: rude().message, raw }];
    const position = { base: "b", offset: 1 };
    yield { data: raw, count: 1, cursor: secret, position, failures, notice: rude().message };
    throw rude();
  }
  async close() {
    this.#closed = true;
  }
  get closed() {
    return this.#closed;
  }
}

function rudeConnector(): Connector {
  const destination: Destination = {
    concurrency: 3,
    warnings: [rude().message],
    write: async ({ records }) => {
      if (records.length > 1) throw rude();
      return { failed: [{ index: 0, code: "CONFLICT", message: rude().message }], state: secret };
    },
    complete: async () => {},
    close: async () => {},
  };
  return {
    provider: `${secret}.example.com`,
    check: async () => {
      throw rude();
    },
    discover: async () => [],
    openSource: async () => new RudeSource(),
    openDestination: async () => destination,
    close: async () => {},
  };
}

function knowing(secrets: unknown): Redactor {
  const redactor = new Redactor();
  redactor.addAll(secrets);
  return redactor;
}

const { signal } = new AbortController();
const reading = {
  stream: "s",
  mode: "full",
  cursorField: undefined,
  from: null,
  batch: { records: 1, bytes: 1 },
} as const;
const writing = { stream: "s", mode: "append", key: [], runId: "r", state: null, signal } as const;
const record = { text: "1", value: 1, id: "1" };

test("what a connector throws has none of its secrets, and neither has what it opened", async () => {
  const connector = redactedConnector(rudeConnector(), knowing({ password: secret }));
  const thrown = async (work: () => Promise<unknown>) => {
    const error = (await work().catch((caught: unknown) => caught)) as Error;
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toMatch(/^the server says: .*\*\*\*.* is not \*\*\*$/);
    expect(error.stack).not.toContain(secret);
  };
  await thrown(() => connector.check(signal));
  const source = await connector.openSource!({ ...reading, signal });
  const batches = source.read()[Symbol.asyncIterator]();
  await batches.next();
  await thrown(() => batches.next());
  const destination = await connector.openDestination!(writing);
  await thrown(() => destination.write({ records: [record, record], signal }));
});

test("what is a record's stays as it is; what is said of it has no secrets", async () => {
  const connector = redactedConnector(rudeConnector(), knowing(secret));
  const source = await connector.openSource!({ ...reading, signal });
  for await (const { data, failures, cursor, notice } of { [Symbol.asyncIterator]: () => once(source) }) {
    expect(failures?.[0]).toMatchObject({ index: 0, code: "VALIDATION_ERROR", raw });
    expect(failures?.[0]?.message).not.toContain(secret);
    expect(notice).toMatch(/^the server says: .* is not \*\*\*$/);
    expect([data, cursor]).toEqual([raw, secret]);
  }
  await source.close();
  expect((source as RudeSource).closed).toBe(true);
  const destination = await connector.openDestination!(writing);
  expect(destination.warnings).toEqual([expect.stringMatching(/^the server says: .*\*\*\*.* is not \*\*\*$/)]);
  const result = await destination.write({ records: [record], signal });
  expect(result.state).toBe(secret);
  expect(result.failed?.[0]?.message).toMatch(/is not \*\*\*$/);
});

test("who is at the far side is told without a secret that its address holds", () => {
  expect(redactedConnector(rudeConnector(), knowing(secret)).provider).toBe("***.example.com");
});

test("a connector keeps what it has and lacks what it lacks", async () => {
  const connector = redactedConnector(rudeConnector(), new Redactor());
  expect(connector.lookup).toBeUndefined();
  expect((await connector.openDestination!(writing)).concurrency).toBe(3);
});

async function* once(source: Source): AsyncGenerator<ReadBatch> {
  const { value } = await source.read()[Symbol.asyncIterator]().next();
  yield value as ReadBatch;
}
