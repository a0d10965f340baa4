import { expect, test } from "vitest";
import { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import { parseJson } from "../runtime/record/index.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import { directOutlet } from "./outlets.ts";

const records = [
  new PipelineRecord({ recordId: () => "r", correlation: () => undefined }, 0, "", undefined, "{}", parseJson),
];
const message = { header: { kind: "records", count: 3 }, bytes: 6, deliveries: 1 } as unknown as LogMessage;

/** What each write of a message is told that it was cut from. */
async function cutsOf(pieces: number): Promise<unknown[]> {
  const cuts: unknown[] = [];
  const write: DestinationWriter["write"] = async (_records, { cutFrom }) => {
    cuts.push(cutFrom);
    return { undelivered: [], state: cuts.length };
  };
  const delivery = directOutlet("d", { write, flush: () => {} }).open(message, undefined);
  for (let n = 0; n < pieces; n++) await delivery.send("d", records, undefined);
  expect(await delivery.end()).toMatchObject({ state: pieces, delivered: { out: pieces } });
  return cuts;
}

test("what a step cut up is written as pieces of one message, and what it did not as a whole", async () => {
  expect(await cutsOf(1)).toEqual([undefined]);
  const [first, ...others] = await cutsOf(3);
  expect(first).toBeDefined();
  expect(others).toHaveLength(2);
  for (const other of others) expect(other).toBe(first);
  expect((await cutsOf(2))[0]).not.toBe(first);
});
