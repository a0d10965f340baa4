import { expect, test } from "vitest";
import { allowedMethods } from "./allowed-methods.ts";

const allowed = allowedMethods([
  { method: "GET", path: "/v1/things" },
  { method: "POST", path: "/v1/things" },
  { method: "GET", path: "/v1/things/{id}" },
  { method: "DELETE", path: "/v1/things/{id}" },
  { method: "PUT", path: "/v1/things/mine" },
  { method: "GET", path: "/a.json" },
]);

test("a path knows the methods of all routes that lead there", () => {
  expect(allowed("/v1/things")).toEqual(["GET", "HEAD", "POST"]);
  expect(allowed("/v1/things/7")).toEqual(["GET", "HEAD", "DELETE"]);
  expect(allowed("/v1/things/mine")).toEqual(["GET", "HEAD", "DELETE", "PUT"]);
});

test("what is no path of ours knows none", () => {
  for (const path of ["/v1/thing", "/v1/things/", "/v1/things/7/more", "/axjson", "/v2/v1/things"]) {
    expect(allowed(path)).toEqual([]);
  }
});
