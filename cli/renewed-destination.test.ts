import { expect, test } from "vitest";
import { ConnectorError, type Destination, type Json, type WriteBatch } from "../connectors/sdk/index.ts";
import { NotReadyError, SluiceError } from "../runtime/errors/index.ts";
import { RenewedDestination } from "./renewed-destination.ts";

const batch = (): WriteBatch => ({ records: [], signal: new AbortController().signal });

/** A connector of several versions, of which `bad` ones cannot be opened; each write waits for `gate`. */
async function opened(bad: readonly string[] = []) {
  const log: string[] = [];
  const world = { latest: "1", gate: Promise.resolve() };
  let writes = 0;
  const open = async (state: Json | null) => {
    const madeOf = world.latest;
    if (bad.includes(madeOf)) throw new Error(`cannot open ${madeOf}`);
    log.push(`open ${madeOf} ${state}`);
    const destination: Destination = {
      concurrency: 2,
      write: async () => {
        const state = ++writes;
        log.push(`write ${madeOf}`);
        await world.gate;
        log.push(`wrote ${madeOf}`);
        return { state };
      },
      complete: async () => void log.push(`complete ${madeOf}`),
      close: async () => void log.push(`close ${madeOf}`),
    };
    return { destination, madeOf };
  };
  const destination = await RenewedDestination.open({ open, latest: () => world.latest, state: null });
  return { destination, log, world };
}

test("a connector that changed is opened anew between two writes, with the state of the last one", async () => {
  const { destination, log, world } = await opened();
  await destination.write(batch());
  world.latest = "2";
  await destination.write(batch());
  await destination.complete();
  await destination.close();
  expect(log).toEqual([
    "open 1 null",
    "write 1",
    "wrote 1",
    "close 1",
    "open 2 1",
    "write 2",
    "wrote 2",
    "complete 2",
    "close 2",
  ]);
});

test("what is under way is finished first, and others wait for it, too", async () => {
  const { destination, log, world } = await opened();
  const gate = Promise.withResolvers<void>();
  world.gate = gate.promise;
  const first = destination.write(batch());
  world.latest = "2";
  const others = [destination.write(batch()), destination.write(batch())];
  gate.resolve();
  await Promise.all([first, ...others]);
  expect(log).toEqual([
    "open 1 null",
    "write 1",
    "wrote 1",
    "close 1",
    "open 2 1",
    "write 2",
    "write 2",
    "wrote 2",
    "wrote 2",
  ]);
});

test("where it cannot be opened the write fails, and the next one tries again", async () => {
  const { destination, log, world } = await opened(["2"]);
  world.latest = "2";
  await expect(destination.write(batch())).rejects.toThrow("cannot open 2");
  await expect(destination.write(batch())).rejects.toThrow("cannot open 2");
  world.latest = "3";
  await destination.write(batch());
  expect(log).toEqual(["open 1 null", "close 1", "open 3 null", "write 3", "wrote 3"]);
});

test.each([
  ["a Vault that is away", new NotReadyError("Vault is sealed"), "UNAVAILABLE"],
  ["a reference that does not resolve", new SluiceError("VALIDATION_ERROR", "resolves to nothing"), "VALIDATION_ERROR"],
  ["a setting that is wrong", new ConnectorError("NOT_FOUND", "no such table", { fault: "record" }), "NOT_FOUND"],
])("%s is waited for, and no record's fault", async (_, error, code) => {
  const fine: Destination = {
    concurrency: 1,
    write: async () => ({}),
    complete: async () => {},
    close: async () => {},
  };
  let fails = false;
  const open = async () => {
    if (fails) throw error;
    return { destination: fine, madeOf: "1" };
  };
  const destination = await RenewedDestination.open({ open, latest: () => (fails ? "2" : "1"), state: null });
  await destination.write(batch());
  fails = true;
  await expect(destination.write(batch())).rejects.toMatchObject({
    code,
    fault: "destination",
    message: error.message,
  });
});
