import { randomUUIDv7 } from "node:crypto";
import { expect, test } from "vitest";
import { routes } from "../../gateway/rest/routes.ts";
import { type Api, integration, startApi } from "./support.ts";

interface Item {
  readonly id?: string;
  readonly name?: string;
  readonly fingerprint?: string;
  readonly count?: number;
  readonly version?: number;
}

/** What tells an item from the others; of groups also the count, which holds still as well. */
const nameOf = ({ id, version, name, fingerprint, count }: Item) =>
  fingerprint !== undefined && count !== undefined ? `${fingerprint} ${count}` : (id ?? version ?? name);

interface List {
  readonly url: string;
  /** Makes one more; its id. */
  readonly add: (n: number) => Promise<unknown>;
}

/** Every list that pages by cursor, with what adds to it. */
async function lists(api: Api): Promise<List[]> {
  const { call, store } = api;
  await call("POST", "/v1/connectors", { name: "files", type: "blackhole" });
  await call("POST", "/v1/connectors", { name: "numbers", type: "generator" });
  const spec = { source: { connector: "numbers", stream: "a" }, destination: { connector: "files", stream: "b" } };
  const made = await call("POST", "/v1/integrations", integration(spec));
  expect(made.status).toBe(201);
  const integrationId = made.body.id as string;
  const run = async () => {
    const { body } = await call("POST", `/v1/integrations/${integrationId}/run`);
    const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
    await store.runs.finish(body.id, { status: "success", error: null, counts });
    return body.id as string;
  };
  const runId = await run();
  const addLetters = async (n: number, fingerprint: string, count = 1) => {
    const deadLetters = Array.from({ length: count }, (_, i) => ({
      ...{ id: randomUUIDv7(), runId, integrationId, integrationVersion: 1, recordId: `r${n}.${i}`, step: "map" },
      ...{ destination: null, rule: 0, code: "VALIDATION_ERROR" as const, message: "m", raw: Buffer.from("{}") },
      ...{ state: null, position: { base: "a", ordinal: n }, attempts: [], fingerprint, traceId: null },
    }));
    await store.checkpoints.commit([{ integrationId, epoch: 1, run: null, checkpoints: [], deadLetters, groups: [] }]);
  };
  return [
    { url: "/v1/connectors", add: (n) => call("POST", "/v1/connectors", { name: `c${n}`, type: "blackhole" }) },
    { url: "/v1/integrations", add: (n) => call("POST", "/v1/integrations", integration({ ...spec, name: `i${n}` })) },
    { url: `/v1/integrations/${integrationId}/runs`, add: run },
    { url: "/v1/api-keys", add: (n) => call("POST", "/v1/api-keys", { name: `k${n}`, role: "viewer" }) },
    { url: "/v1/audit-log", add: (n) => call("POST", "/v1/connectors", { name: `d${n}`, type: "blackhole" }) },
    {
      url: `/v1/integrations/${integrationId}/dead-letter`,
      add: (n) => addLetters(n, "f"),
    },
    {
      url: `/v1/integrations/${integrationId}/dead-letter/groups`,
      // What comes between two pages makes the smallest group, which was not shown yet, the largest one.
      add: (n) => (n < 10 ? addLetters(n, `f${n}`) : addLetters(n, "f5", 100)),
    },
    {
      url: `/v1/integrations/${integrationId}/versions`,
      add: (n) => call("PUT", `/v1/integrations/${integrationId}/${n % 2 === 1 ? "disable" : "enable"}`),
    },
    {
      url: "/v1/plugins",
      add: (n) => {
        // What comes between two pages comes before them.
        const body = { name: n < 10 ? `p${n}` : `a${n}`, address: "127.0.0.1:1" };
        return call("POST", "/v1/plugins?skip_checks=true", body);
      },
    },
  ];
}

test("what is added between two pages neither repeats nor hides anything, in any list", async () => {
  const api = await startApi();
  const page = async (url: string, query: string) => {
    const { status, body } = await api.call("GET", `${url}?${query}`);
    expect([url, status]).toEqual([url, 200]);
    return body as { readonly items: readonly Item[]; readonly next_cursor: string | null };
  };
  for (const { url, add } of await lists(api)) {
    for (const n of [1, 2, 3, 4, 5]) await add(n);
    const before = (await page(url, "limit=100")).items.map(nameOf);
    expect([url, before.length >= 5]).toEqual([url, true]);
    const seen: (string | number | undefined)[] = [];
    let n = 10;
    for (let cursor: string | null = ""; cursor !== null; ) {
      const { items, next_cursor } = await page(url, `limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...items.map(nameOf));
      cursor = next_cursor;
      await add(n++);
    }
    expect([url, seen]).toEqual([url, before]);
  }
});

test("by each field that a list offers a page follows another, and backwards it is the same backwards", async () => {
  const api = await startApi();
  const sorts = (url: string): readonly string[] => {
    const path = url.replace(/\/integrations\/[^/]+\//, "/integrations/{id}/");
    const route = routes.find((one) => one.method === "GET" && one.path === path);
    return ((route?.query?.sort as { enum?: readonly string[] } | undefined)?.enum ?? []) as readonly string[];
  };
  let offered = 0;
  for (const { url, add } of await lists(api)) {
    for (const n of [1, 2, 3, 4, 5]) await add(n);
    const walk = async (sort: string) => {
      const seen: (string | number | undefined)[] = [];
      for (let cursor: string | null = ""; cursor !== null; ) {
        const { status, body } = await api.call("GET", `${url}?sort=${sort}&limit=2${cursor && `&cursor=${cursor}`}`);
        expect([url, sort, status]).toEqual([url, sort, 200]);
        seen.push(...body.items.map(nameOf));
        cursor = body.next_cursor;
      }
      return seen;
    };
    for (const sort of sorts(url).filter((one) => !one.startsWith("-"))) {
      offered++;
      const [up, down] = [await walk(sort), await walk(`-${sort}`)];
      expect([url, sort, new Set(up).size, up.length >= 5]).toEqual([url, sort, up.length, true]);
      expect([url, sort, down]).toEqual([url, sort, up.toReversed()]);
      const all = (await api.call("GET", `${url}?sort=${sort}&limit=100`)).body.items;
      expect(all.map(nameOf)).toEqual(up);
      if (sort === "name") expect(all.map(({ name }: Item) => name)).toEqual(all.map(({ name }: Item) => name).sort());
      const refused = await api.call(
        "GET",
        `${url}?sort=${sort}&cursor=${Buffer.from('["x",1]').toString("base64url")}`,
      );
      expect([url, sort, refused.status]).toEqual([url, sort, 400]);
    }
  }
  expect(offered).toBeGreaterThanOrEqual(11);
});
