import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { docsPage } from "../../gateway/rest/docs-page.ts";
import { routes } from "../../gateway/rest/routes.ts";
import { startApi } from "./support.ts";

test("the page at /docs has every call of the API, needs no token, and asks no other server for anything", async () => {
  const { app } = await startApi();
  const { statusCode, headers, body } = await app.inject({ url: "/docs" });
  expect([statusCode, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  for (const { method, path, operationId } of routes) {
    expect(body).toContain(`<details id="${operationId}"`);
    expect(body).toContain(`<b>${method}</b> <code>${path}</code>`);
  }
  expect(body).not.toMatch(/(?:src|action)=|<link|@import|url\(|href="(?!#)/);
  expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; /);
  // What the policy lets run is what is there.
  for (const tag of ["style", "script"]) {
    const [, text = ""] = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(body) ?? [];
    const hash = createHash("sha256").update(text).digest("base64");
    expect(headers["content-security-policy"]).toContain(`${tag}-src 'sha256-${hash}'`);
  }
  // Semantic, and every link leads somewhere.
  for (const part of ['<html lang="en">', "<main>", "<nav aria-label=", '<label for="find"'])
    expect(body).toContain(part);
  for (const [, id] of body.matchAll(/href="#([^"]+)"/g)) expect(body).toContain(`id="${id}"`);
});

test("what a description says is text on the page, whatever it says", () => {
  const odd = "<script>alert('1')</script>";
  const operation = {
    operationId: "o",
    tags: [odd],
    summary: odd,
    parameters: [],
    responses: { 200: { description: odd } },
  };
  const description = {
    info: { title: odd, version: "1", description: odd },
    paths: { "/v1/x": { get: operation } },
    components: { responses: {} },
  };
  const page = docsPage(description);
  expect(page.match(/<script>/g)).toHaveLength(1);
  expect(page).toContain("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
});
