import { expect, test, vi } from "vitest";
import { sharedNode } from "../support/node.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const shared = sharedNode();
const records = 3_000;

interface Circuits {
  readonly circuits: Record<string, object> | null;
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: object;
}

test("a stuck run is cancelled; what waits for the destination that is taken out becomes dead letters, which a replay delivers when it is back", async () => {
  const { api } = shared();
  await api.connector("numbers", "generator", { count: records });
  const gone = { name: "gone", type: "blackhole", config: { fail: { ratio: 1, code: "UNAVAILABLE" } } };
  const { id: connector } = await api.call<{ id: string }>("POST", "/v1/connectors", gone);
  await api.connector("steady", "blackhole", {});
  const steady = { id: "steady", connector: "steady", stream: "all" };
  const both = [{ id: "gone", connector: "gone", stream: "all" }, steady];
  const spec = {
    name: "stuck",
    source: { connector: "numbers", stream: "numbers", mode: "incremental" },
    delivery: { circuit_breaker: { open_for: "1h" } },
  };
  const id = await api.integration({ ...spec, destinations: both });
  const run = await api.run(id);
  const circuitsOf = async (path: string) => (await api.call<Circuits>("GET", path)).circuits;
  await expect
    .poll(() => circuitsOf(`/v1/runs/${run}`))
    .toEqual({
      gone: {
        state: "open",
        since: expect.stringMatching(/Z$/),
        reason: expect.stringContaining("fails 100 % of its records"),
        failure_ratio: 1,
      },
      steady: { state: "closed", since: null, reason: null, failure_ratio: null },
    });
  expect(await circuitsOf(`/v1/integrations/${id}`)).toMatchObject({ gone: { state: "open" } });
  await api.until(run, ({ by_destination: { steady } }) => steady?.out === records);

  const cancel = () => api.request<{ id: string; status: string }>("POST", `/v1/runs/${run}/cancel`);
  expect(await cancel()).toMatchObject({ status: 202, body: { id: run } });
  expect(await api.ended(run)).toMatchObject({ status: "cancelled", error: null, records_out: records });
  expect(await cancel()).toMatchObject({ status: 409, body: { detail: "the run has ended: cancelled" } });
  expect(await circuitsOf(`/v1/runs/${run}`)).toBe(null);

  await api.call("PUT", `/v1/integrations/${id}`, { ...spec, destination: steady });
  const next = await api.runAndWait(id);
  expect(next).toMatchObject({ status: "partial", records_in: 0, records_out: 0, records_failed: records });
  const groups = await api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter/groups`);
  expect(groups.items).toMatchObject([
    {
      count: records,
      destination: "gone",
      code: "NOT_FOUND",
      message: "the integration has no destination gone any more",
    },
  ]);

  await api.call("PUT", `/v1/connectors/${connector}`, { ...gone, config: {} });
  // What has been found to fail is not called for an hour: other settings begin with a closed circuit.
  await api.call("PUT", `/v1/integrations/${id}`, { ...spec, delivery: {}, destinations: both });
  const { id: job } = await api.call<Job>("POST", `/v1/integrations/${id}/dead-letter/replay-all`, {});
  await expect
    .poll(() => api.call<Job>("GET", `/v1/jobs/${job}`), { timeout: 120_000 })
    .toMatchObject({ status: "success", progress: { total: records, passed: records, failed: 0 } });
});

test("a run whose source and destination hang is cancelled all the same", async () => {
  const { api } = shared();
  await api.connector("endless", "generator", { rate: 1, count: 100_000 });
  await api.connector("hangs", "blackhole", { hang_after: 0 });
  const id = await api.integration({
    name: "hangs",
    source: { connector: "endless", stream: "numbers" },
    destination: { connector: "hangs", stream: "all" },
  });
  const run = await api.run(id);
  const lag = /^sluice_consumer_lag\{.*integration="hangs".*\} [1-9]/m;
  await expect.poll(async () => (await api.text("/metrics")).text).toMatch(lag);
  await api.call("POST", `/v1/runs/${run}/cancel`);
  expect(await api.ended(run)).toMatchObject({ status: "cancelled" });
  // Its place is free.
  const next = await api.run(id);
  await api.call("POST", `/v1/runs/${next}/cancel`);
  expect(await api.ended(next)).toMatchObject({ status: "cancelled" });
});
