import { randomUUID, randomUUIDv7 } from "node:crypto";
import { expect, test } from "vitest";
import { teams } from "./teams.ts";

test("a correction that names the version it was made of changes no other, and says so with 412", async () => {
  const { api, theirs } = await teams();
  const { authorization } = { authorization: `Bearer ${api.token}` };
  const url = `/v1/dead-letter/${theirs["dead-letter"]}`;
  // Its job ends first: what is being replayed is not changed.
  await api.call("POST", `/v1/jobs/${theirs.jobs}/cancel`);
  const [run] = (await api.call("GET", `/v1/integrations/${theirs.integrations}/runs?status=running`)).body.items;
  await api.store.replays.next(theirs.jobs!, run.id, run.id);
  const read = await api.call("GET", url);
  expect([read.headers.etag, read.body.version]).toEqual(['"1"', 1]);
  // No destination has tried it: what refused it counts as one try.
  const { attempt_count: count, attempts, first_failed_at: at, code, message } = read.body;
  expect([count, attempts]).toEqual([1, [{ at, code, message }]]);
  const correct = (payload: object, etag?: string) =>
    api.call("PATCH", url, { payload }, { authorization, ...(etag !== undefined && { "if-match": etag }) });
  const first = await correct({ a: 2 }, '"1"');
  expect([first.status, first.headers.etag, first.body.corrected]).toEqual([200, '"2"', { a: 2 }]);
  const second = await correct({ a: 3 }, '"1"');
  expect([second.status, second.body.detail]).toEqual([412, expect.stringContaining("version 2")]);
  expect((await api.call("GET", url)).body.corrected).toEqual({ a: 2 });
  expect((await correct({ a: 4 })).body).toMatchObject({ version: 3, corrected: { a: 4 } });
  const discard = { resolution: "discarded", reason: "a test" };
  expect((await api.call("PATCH", url, discard, { authorization, "if-match": '"2"' })).status).toBe(412);
  expect((await api.call("PATCH", url, discard, { authorization, "if-match": '"3"' })).body.resolved).toBe(true);

  const { items } = (await api.call("GET", `/v1/audit-log?resource_id=${theirs["dead-letter"]}&sort=at`)).body;
  expect(items).toMatchObject([
    { action: "dead_letter.corrected", before: { corrected: false, version: 1 }, after: { corrected: true } },
    { action: "dead_letter.corrected", before: { corrected: true, version: 2 }, after: { version: 3 } },
    { action: "dead_letter.discarded", before: { resolution: null }, after: { resolution_reason: "a test" } },
  ]);
  expect(JSON.stringify(items)).not.toContain('"a":');
});

test("the audit log says which key it was, what runs and jobs were before, and is filtered by what, who and when", async () => {
  const { api, other, theirs } = await teams();
  const log = async (query: string) => (await api.call("GET", `/v1/audit-log?${query}`)).body.items;
  await other.call("POST", `/v1/jobs/${theirs.jobs}/pause`);
  expect(await log(`resource_id=${theirs.jobs}`)).toMatchObject([
    { action: "job.paused", actor_id: other.id, before: { status: "running" }, after: { status: "paused" } },
    { action: "job.created", actor_id: other.id, before: null },
  ]);
  expect(await log(`resource_id=${theirs.runs}`)).toMatchObject([
    { action: "run.started", after: { integration_id: theirs.integrations, trigger: "manual", status: "running" } },
  ]);
  const jobs = await log("action=job");
  expect(jobs.map(({ action }: { action: string }) => action)).toEqual(["job.paused", "job.created"]);
  expect(await log("action=job.paused")).toHaveLength(1);
  expect(await log("action=jo")).toEqual([]);
  expect((await log(`actor_id=${other.id}`)).length).toBeGreaterThan(3);
  expect(await log(`actor_id=${other.id}&until=2020-01-01T00:00:00Z`)).toEqual([]);
  expect((await log("since=2020-01-01T00:00:00Z&sort=at"))[0].action).toBe("api_key.created");
  // What is shown with a time is at that time for since and until, too.
  const of = `/v1/integrations/${theirs.integrations}`;
  for (const [url, time] of [
    ["/v1/audit-log", "at"],
    [`${of}/runs`, "started_at"],
    [`${of}/dead-letter`, "last_attempted_at"],
  ] as const) {
    const [{ id, [time]: at }] = (await api.call("GET", url)).body.items;
    const then = (await api.call("GET", `${url}?since=${at}&until=${at}`)).body.items;
    expect([url, then.map((item: { id: string }) => item.id)]).toEqual([url, expect.arrayContaining([id])]);
  }
});

test("errors of a run and groups are by what failed alike, jobs a page at a time, and counters have a beginning and an end", async () => {
  const { other, theirs } = await teams();
  const get = async (url: string) => (await other.call("GET", url)).body;
  const group = {
    fingerprint: "f",
    count: 1,
    first_version: 1,
    last_version: 1,
    example_id: theirs["dead-letter"],
    code: "VALIDATION_ERROR",
  };
  expect((await get(`/v1/runs/${theirs.runs}/errors`)).items).toMatchObject([group]);
  const groups = `/v1/integrations/${theirs.integrations}/dead-letter/groups`;
  expect((await get(`${groups}?run_id=${theirs.runs}&step=map&record_id=r`)).items).toMatchObject([group]);
  for (const none of ["code=TIMEOUT", "record_id=other", "until=2020-01-01T00:00:00Z", "fingerprint=%00"])
    expect((await get(`${groups}?${none}`)).items).toEqual([]);
  expect((await get(`${groups}?resolved=false`)).items).toMatchObject([group]);
  expect((await get(`${groups}?resolved=true`)).items).toEqual([]);
  const letters = `/v1/integrations/${theirs.integrations}/dead-letter`;
  expect((await get(`${letters}?record_id=r&sort=-last_attempted_at`)).items).toHaveLength(1);

  const jobs = `/v1/integrations/${theirs.integrations}/jobs`;
  await other.call("POST", `${letters}/replay-all`);
  const first = await get(`${jobs}?limit=1&sort=created_at`);
  expect(first.items).toMatchObject([{ id: theirs.jobs, progress: { total: 1 } }]);
  const second = await get(`${jobs}?limit=1&sort=created_at&cursor=${first.next_cursor}`);
  expect([second.items.length, second.next_cursor]).toEqual([1, null]);
  expect((await get(`${jobs}?status=running`)).items).toMatchObject([{ id: theirs.jobs }]);

  const { run_id, points } = await get(`/v1/runs/${theirs.runs}/series`);
  expect([run_id, points.length]).toEqual([theirs.runs, 2]);
  expect(points[0].records_in).toBe(0);
  expect(points[1]).toMatchObject({ records_in: 1, records_failed: 1 });
});

test("one dead letter, or a draft of its correction, is taken through the steps of now, and nothing is written", async () => {
  const { api, other, mine, theirs } = await teams();
  const url = `/v1/dead-letter/${theirs["dead-letter"]}`;
  const current = (await other.call("GET", `/v1/integrations/${theirs.integrations}`)).body;
  const mapping_spec = [{ source: "$.a", destination: "b", cast: "boolean" }];
  const put = await other.call("PUT", `/v1/integrations/${theirs.integrations}`, { ...current, mapping_spec });
  expect(put.status).toBe(200);
  const preview = async (body?: object) => (await other.call("POST", `${url}/preview`, body)).body;
  const place = { base: "a.ndjson", ordinal: 7 };
  expect((await preview({ payload: { a: "maybe" } })).records).toMatchObject([
    { status: "failed", position: place, steps: [{ step: "map", failures: [{ rule: 0, code: "VALIDATION_ERROR" }] }] },
  ]);
  expect((await preview({ payload: { a: true } })).records).toMatchObject([
    { status: "delivered", steps: [{ out: { records: [{ record: { b: true } }] } }] },
  ]);
  // As it came.
  expect((await preview()).records).toMatchObject([{ record: { a: 1 } }]);
  expect((await other.call("POST", `${url}/preview`, { payload: [1] })).status).toBe(400);
  expect((await mine.call("POST", `${url}/preview`)).status).toBe(404);
  expect((await api.call("GET", url)).body).toMatchObject({ corrected: null, version: 1 });

  const dryRun = `/v1/integrations/${theirs.integrations}/dead-letter/dry-run`;
  const one = { dead_letter_id: theirs["dead-letter"] };
  expect((await other.call("POST", dryRun, one)).body).toMatchObject({
    version: put.body.version,
    total: 1,
    checked: 1,
  });
  const none = { dead_letter_id: theirs.runs };
  expect((await other.call("POST", dryRun, none)).body).toMatchObject({ total: 0 });
});

test("a dry run counts failures that differ in values alone as one kind, and shows the message of one", async () => {
  const { api, other, theirs } = await teams();
  const integrationId = theirs.integrations as string;
  const url = `/v1/integrations/${integrationId}`;
  const script = 'record => { throw new Error("Contact " + record.id + " of " + record.mail + " is invalid"); }';
  const steps = [{ id: "check", type: "transform", script }];
  const { body: current } = await other.call("GET", url);
  expect((await other.call("PUT", url, { ...current, pipeline_spec: { steps } })).status).toBe(200);
  const known = (await api.store.deadLetters.get(theirs["dead-letter"] as string))!;
  const deadLetters = Array.from({ length: 30 }, (_, n) => {
    const { traceId, recordId, runId, code, message, position } = known;
    const raw = Buffer.from(JSON.stringify({ id: randomUUID(), mail: `${"abc"[n % 3]}${n}@example.com` }));
    const failed = { integrationId, integrationVersion: 1, step: "check", destination: null, rule: null };
    const rest = { raw, state: null, attempts: [], fingerprint: "f" };
    return { id: randomUUIDv7(), traceId, recordId, runId, code, message, position, ...failed, ...rest };
  });
  await api.store.checkpoints.commit([
    { integrationId, epoch: 1, run: null, checkpoints: [], deadLetters, groups: [] },
  ]);
  expect((await other.call("POST", `${url}/dead-letter/dry-run`, { step: "check" })).body).toMatchObject({
    failed: 30,
    failures: [{ step: "check", count: 30, message: expect.stringMatching(/Contact .*@example.com is invalid/) }],
  });
});
