import { expect, test } from "vitest";
import type { Invocation } from "../runtime/ports/invoke.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { Invocations } from "./invocations.ts";

const invocation: Invocation = {
  id: "1",
  record: "{}",
  timeoutMs: 1_000,
  onTimeout: "keep",
  integrationVersion: 1,
  correlation: null,
};

function integration() {
  const invocations = new Invocations({
    integrationId: "i",
    clock: new VirtualClock(),
    vitals: { openCircuits: {} },
    space: { reason: null },
  });
  let wanted = 0;
  invocations.onWanted(() => wanted++);
  return { invocations, wanted: () => wanted };
}

test.each([
  ["is cancelled", (all: Invocations) => all.runEnded("run", null)],
  ["fails", (all: Invocations) => all.runEnded("run", { code: "UNAVAILABLE", message: "away" })],
  ["goes on anew", (all: Invocations) => all.held(null)],
])("what held a run up says nothing of the next one, once that run %s", (_, end) => {
  const { invocations } = integration();
  invocations.held("crm: away");
  expect(() => invocations.invoke(invocation)).toThrow("crm: away");
  end(invocations);
  let refusal = "";
  try {
    void invocations.invoke(invocation);
  } catch (error) {
    refusal = (error as Error).message;
  }
  expect(refusal).not.toBe("crm: away");
});

test("a run is wanted for what is invoked after one that was held up and cancelled", async () => {
  const { invocations, wanted } = integration();
  invocations.held("crm: away");
  invocations.runEnded("run", null);
  void invocations.invoke(invocation);
  await expect.poll(wanted).toBe(1);
  expect(invocations.waiting).toBe(1);
});
