import { expect, test } from "vitest";
import { SluiceError } from "../runtime/errors/index.ts";
import { StaleOwnerError } from "../runtime/ports/log.ts";
import type { Health } from "../runtime/ports/store.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { IntegrationHealth } from "./health.ts";

const ok: Health = { status: "ok", reason: null, circuits: {}, losses: null };

function integration(kept: Health = ok) {
  const clock = new VirtualClock();
  const saved: (Health & { readonly epoch: number })[] = [];
  const server = { away: false };
  const store = {
    setHealth: async (_id: string, epoch: number, health: Health) => {
      if (server.away) throw new Error("the store is away");
      saved.push({ ...health, epoch });
    },
  };
  const health = new IntegrationHealth({ store, clock, integrationId: "i", name: "shop", kept, version: 1 });
  health.owned(7);
  return { clock, saved, server, health };
}

test("a crash makes it degraded with the part and the reason, until a minute has passed without another", async () => {
  const { clock, saved, health } = integration();
  health.begun();
  health.crashed("steps", new Error("a bug"));
  health.crashed("sink-crm", new Error("another bug"));
  await clock.advance(59_000);
  expect(health.now).toMatchObject({
    status: "degraded",
    reason: "sink-crm was started again after a crash, 2 times: another bug",
  });
  await clock.advance(1_000);
  expect(health.now).toEqual(ok);
  expect(saved.map(({ status, epoch }) => [status, epoch])).toEqual([
    ["degraded", 7],
    ["degraded", 7],
    ["ok", 7],
  ]);
});

test("a crash that is passed on up the tree counts once; a stated error and a lost ownership count as none", () => {
  const { health } = integration();
  const bug = new Error("a bug");
  for (const part of ["steps", "run"]) health.crashed(part, bug);
  expect(health.now.reason).toBe("steps was started again after a crash: a bug");
  const other = integration().health;
  other.crashed("steps", new SluiceError("NOT_FOUND", "there is no table"));
  other.crashed("steps", new StaleOwnerError("a later owner"));
  expect(other.now).toEqual(ok);
});

test("a run that fails leaves it stopped, with the reason and what to do, until the next one begins", async () => {
  const { health } = integration();
  health.begun();
  health.crashed("source", new Error("a bug"));
  health.waiting("crm: away");
  health.ended({ code: "TIMEOUT", message: "the source gave nothing" });
  const reason = "the last run failed with TIMEOUT: the source gave nothing (run it again: sluice run shop)";
  expect(health.now).toEqual({ ...ok, status: "stopped", reason });
  health.idle();
  expect(health.now.status).toBe("stopped");
  health.begun();
  expect(health.now).toEqual(ok);
});

test("a node that starts anew knows that it was stopped; what waited or crashed before is over", () => {
  const stopped = { ...ok, status: "stopped", reason: "it failed" } as const;
  expect(integration(stopped).health.now).toEqual(stopped);
  for (const status of ["waiting", "degraded"] as const) {
    expect(integration({ ...ok, status, reason: "something" }).health.now).toEqual(ok);
  }
});

test("a change of the integration takes back that it had stopped, but for a run that failed after it", async () => {
  const { clock, saved, health } = integration();
  const fails = () => health.ended({ code: "TIMEOUT", message: "the source gave nothing" });
  fails();
  health.changed({ version: 1, health: "stopped" });
  expect(health.now.status).toBe("stopped");
  health.changed({ version: 2, health: "ok" });
  expect(health.now).toEqual(ok);
  await clock.advance(1);
  expect(saved.at(-1)).toMatchObject({ status: "ok", reason: null });
  fails();
  health.changed({ version: 2, health: "stopped" });
  health.changed({ version: 3, health: "stopped" });
  expect(health.now.status).toBe("stopped");
});

test("what waited before is taken back in the store, where no run goes on", async () => {
  const { clock, saved, health } = integration({ ...ok, status: "waiting", reason: "crm: away" });
  health.idle();
  await clock.advance(1);
  expect(saved).toEqual([{ ...ok, epoch: 7 }]);
});

test("while the store is away the last word waits, and no other is written", async () => {
  const { clock, saved, server, health } = integration();
  server.away = true;
  for (const reason of ["a", "b", "c"]) health.waiting(reason);
  await clock.advance(5_000);
  server.away = false;
  await clock.advance(5_000);
  expect(saved.at(-1)).toMatchObject({ status: "waiting", reason: "c" });
  health.close();
});

test("a circuit that opens is kept with its reason, and one that an owner before left open is not", async () => {
  const left = { since: 1, until: 2, reason: "refused", failureRatio: 1 };
  const { clock, saved, health } = integration({ ...ok, circuits: { crm: left } });
  health.begun();
  await clock.advance(1);
  expect(saved).toEqual([{ ...ok, epoch: 7 }]);
  const open = { since: 5, until: 30_005, reason: "crm: 503", failureRatio: 0.75 };
  health.circuits({ crm: open });
  health.circuits({ crm: { ...open } });
  await clock.advance(1);
  expect(saved.slice(1)).toEqual([{ ...ok, circuits: { crm: open }, epoch: 7 }]);
});

test("what was lost is told through runs that end well and over restarts, until it was seen", async () => {
  const { clock, saved, health } = integration();
  await clock.advance(1_000);
  health.lost("its log was lost.");
  health.lost("Postgres is older.");
  health.lost("its log was lost.");
  health.begun();
  health.ended(null);
  const reason = "Postgres is older. its log was lost. (once you have seen it: sluice doctor --seen shop)";
  expect(health.now).toMatchObject({ status: "degraded", reason });
  await clock.advance(1);
  const kept = saved.at(-1) as Health;
  expect(kept).toMatchObject({ status: "degraded", reason });
  const next = integration(kept);
  expect(next.health.now).toMatchObject({ status: "degraded", reason });
  // Of an earlier one.
  for (const at of [null, (kept.losses?.at ?? 0) - 1]) next.health.seen(at);
  expect(next.health.now.status).toBe("degraded");
  next.health.seen(kept.losses?.at ?? 0);
  await next.clock.advance(1);
  expect(next.saved).toEqual([{ ...ok, epoch: 7 }]);
});
