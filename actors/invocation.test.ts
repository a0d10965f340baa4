import { describe, expect, it } from "vitest";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { OnTimeout } from "../runtime/ports/invoke.ts";
import { Call } from "./invocation.ts";

const clock = { after: () => () => {} } as unknown as Clock;
const record = { value: { x: 1 } } as unknown as PipelineRecord;
const late = { code: "TIMEOUT", message: "late" } as const;
const failure = { code: "UNAVAILABLE", message: "away", attempts: [] } as const;

/** In the log, and on its way to `a` and `b`. */
function toTwo(onTimeout: OnTimeout): Call {
  const about = { id: "1", record: "{}", timeoutMs: 10, integrationVersion: 1, correlation: null };
  const call = new Call({ ...about, onTimeout }, clock, () => {});
  call.place = "logged";
  sent(call);
  return call;
}

function sent(call: Call): void {
  call.begin();
  for (const destination of ["a", "b"]) call.at(destination).sent(record);
  call.through();
}

async function expired(call: Call) {
  call.expire(late);
  const { status, kept, by_destination } = await call.answered.promise;
  return { status, kept, a: by_destination.a?.status, b: by_destination.b?.status };
}

function delivered(call: Call): void {
  call.at("a").begin();
  call.at("a").confirmed();
  call.check();
}

function failed(call: Call): void {
  call.at("a").begin();
  call.at("a").gaveUp(failure);
  call.check();
}

describe("a record for two destinations whose time is up", () => {
  it.each([
    ["nothing was begun", () => {}, false, "dropped"],
    ["one has it", delivered, null, "delivered"],
    ["it failed at one, into a dead letter", failed, null, "failed"],
    ["a write to one has begun", (call: Call) => call.at("a").begin(), null, "unknown"],
  ])("and is dropped where %s", async (_what, meanwhile, kept, a) => {
    const call = toTwo("drop");
    meanwhile(call);
    expect(await expired(call)).toEqual({ status: "unfinished", kept, a, b: "dropped" });
  });

  it.each([
    ["nothing was begun", () => {}, "pending"],
    ["one has it", delivered, "delivered"],
    ["it failed at one, into a dead letter", failed, "failed"],
  ])("and is kept where %s", async (_what, meanwhile, a) => {
    const call = toTwo("keep");
    meanwhile(call);
    expect(await expired(call)).toEqual({ status: "unfinished", kept: true, a, b: "pending" });
  });

  it("may have been written before a crash", async () => {
    const again = toTwo("drop");
    delivered(again);
    sent(again);
    expect(await expired(again)).toMatchObject({ kept: null, a: "unknown", b: "dropped" });
    const notYet = toTwo("drop");
    delivered(notYet);
    notYet.begin();
    expect(await expired(notYet)).toMatchObject({ kept: null });
  });

  it.each([false, true])("is in part a dead letter of a step, or was let go by it (%s)", async (dropped) => {
    const call = toTwo("drop");
    call.failed({ step: "s", rule: null, code: "VALIDATION_ERROR", message: "no", errors: [], dropped });
    expect((await expired(call)).kept).toBe(dropped ? false : null);
  });

  it("is in part in a window", async () => {
    const call = toTwo("drop");
    call.absorbed();
    expect((await expired(call)).kept).toBeNull();
  });
});
