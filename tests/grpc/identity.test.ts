import { randomUUIDv7 } from "node:crypto";
import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { unaryMethods } from "../../gateway/grpc/methods.ts";
import { streamMethods } from "../../gateway/grpc/streams.ts";
import { integration } from "../rest/support.ts";
import { first, teams, withKey } from "../rest/teams.ts";
import { as, callRaw, serveGrpc, startGrpc } from "./support.ts";

const methods = [
  ...unaryMethods().map(({ method, route }) => ({ method, scopes: route.scopes, path: route.path })),
  ...streamMethods().map(({ method, scopes, path }) => ({ method, scopes, path })),
];

/** What would be taken besides the id, so that it is the id that is refused. */
const bodies: Readonly<Record<string, object>> = {
  ReplaceConnector: { name: "other", type: "blackhole", config: {} },
  ReplaceIntegration: { spec: integration() },
  ChangeDeadLetter: { payload_json: "null" },
  InvokeIntegration: { record_json: "{}" },
  GetIntegrationVersion: { version: 1 },
  FollowRecord: { record: "1" },
};

test("a team finds nothing of another's, by any call, and is not told that it exists", async () => {
  const { api, mine, other, theirs } = await teams();
  const { client } = await serveGrpc(api);
  const walked = methods.filter(({ path }) => path.includes("{id}"));
  expect(walked.map(({ method }) => method.name)).toEqual(expect.arrayContaining(["WatchRun", "Tap", "GetRun"]));
  for (const { method, path } of walked) {
    const kind = /^\/v1\/([\w-]+)\/\{id\}/.exec(path)![1]!;
    const answers = [];
    for (const id of [theirs[kind]!, randomUUIDv7()]) {
      const request = toBinary(method.input, fromJson(method.input, { id, ...bodies[method.name] }));
      const { code, message } = await callRaw(client, method.name, request, as(mine.key));
      answers.push([method.name, code, message.replace(id, "ID")]);
    }
    expect(answers[0]).toEqual([method.name, status.NOT_FOUND, expect.any(String)]);
    // Word for word as for what was never there.
    expect(answers[0]).toEqual(answers[1]);
  }
  for (const { method, path } of walked.filter(({ method: { name } }) => /^Get/.test(name))) {
    const kind = /^\/v1\/([\w-]+)\/\{id\}/.exec(path)![1]!;
    const request = toBinary(method.input, fromJson(method.input, { id: theirs[kind]!, ...bodies[method.name] }));
    expect([method.name, await callRaw(client, method.name, request, as(other.key))]).toMatchObject([
      method.name,
      { code: status.OK },
    ]);
  }
});

test("each role may what its scopes say, by every call", async () => {
  const api = await startGrpc();
  const allowed = new Set<string>();
  for (const [role, more] of Object.entries(first)) {
    for (const scope of more.split(" ")) allowed.add(scope);
    const { key } = await withKey(api, { role });
    for (const { method, scopes } of methods) {
      // Without an id: what is allowed fails later than what is not.
      const request = toBinary(method.input, create(method.input));
      const { code } = await callRaw(api.client, method.name, request, as(key));
      const isRefused = !scopes.every((scope) => allowed.has(scope));
      expect([role, method.name, code === status.PERMISSION_DENIED]).toEqual([role, method.name, isRefused]);
    }
  }
});
