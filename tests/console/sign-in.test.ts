import { expect, test } from "vitest";
import { firstLoadKb } from "../../scripts/console.mjs";
import { consoleTests, expectAccessible, shoot, signIn } from "../support/browser.ts";

const { node, visit } = consoleTests();

test("whoever signs in with a key gets to the page that was asked for, and stays there when it is loaded anew", async () => {
  const page = await visit({ key: null, path: "/?search=orders" });
  await page.getByRole("heading", { name: "Sign in to sluice" }).waitFor();
  await expectAccessible(page);
  await shoot(page, "sign-in");

  await signIn(page, "not a key");
  await page.getByText("The server does not know this key").waitFor();

  await signIn(page, node().token);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  expect(new URL(page.url()).search).toBe("?search=orders");
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
});

test("whoever signs out, or whose key is refused, is led to the form", async () => {
  const page = await visit();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to sluice" }).waitFor();

  const refused = await visit({ key: "sk_revoked", path: "/?search=orders" });
  await refused.getByRole("heading", { name: "Sign in to sluice" }).waitFor();
  expect(new URL(refused.url()).searchParams.get("to")).toBe("/?search=orders");
});

test("a link to the form leads to no other server", async () => {
  for (const to of ["https://example.com/", "//example.com/", "/\\example.com/"]) {
    const page = await visit({ key: null, path: `/sign-in?to=${encodeURIComponent(to)}` });
    await signIn(page, node().token);
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(page.url()).toBe(`${node().url}/`);
  }
});

test("the console is served under a strict policy, its files for ever, and no path of the API is taken by it", async () => {
  const html = { accept: "text/html,application/xhtml+xml" };
  const get = (path: string, headers: Record<string, string> = html) => fetch(node().url + path, { headers });
  const [page, again] = [await get("/integrations/some?tab=runs"), await get("/")];
  expect(page.status).toBe(200);
  const policy = page.headers.get("content-security-policy") as string;
  const nonce = /style-src 'self' 'nonce-([^']+)'/.exec(policy)?.[1] as string;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(again.headers.get("content-security-policy")).not.toBe(policy);
  expect(page.headers.get("cache-control")).toBe("no-cache");
  const text = await page.text();
  expect(text).toContain(nonce);
  expect(text).not.toContain("{nonce}");

  const asset = /src="(\/assets\/[^"]+\.js)"/.exec(text)?.[1] as string;
  const script = await get(asset, { "accept-encoding": "br" });
  expect([script.status, script.headers.get("content-type")]).toEqual([200, "application/javascript; charset=utf-8"]);
  expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(script.headers.get("content-encoding")).toBe("br");

  const refused: readonly (readonly [path: string, status: number])[] = [
    ["/assets/none.js", 404],
    ["/assets/..%2findex.html", 404],
    ["/v1/nothing", 401],
    ["/metrics", 401],
  ];
  for (const [path, status] of refused) {
    const answer = await get(path);
    expect([path, answer.status, answer.headers.get("content-type")]).toEqual([
      path,
      status,
      "application/problem+json",
    ]);
  }
  const token = { authorization: `Bearer ${node().token}` };
  expect((await get("/nowhere", token)).status).toBe(404);
  expect((await get("/v1/nowhere", { ...token, ...html })).status).toBe(404);
  expect((await fetch(`${node().url}/nowhere`, { method: "POST", headers: { ...token, ...html } })).status).toBe(404);
});

test("a browser loads less than 300 kB, gzipped, before the overview shows", () => {
  expect(firstLoadKb()).toBeGreaterThan(50);
  expect(firstLoadKb()).toBeLessThan(300);
});
