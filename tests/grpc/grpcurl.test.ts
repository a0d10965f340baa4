import { readFileSync } from "node:fs";
import { Client, credentials } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { controlService } from "../../gateway/grpc/schema.ts";
import { fileConnector, integration } from "../rest/support.ts";
import { grpcurl, startGrpc } from "./support.ts";

const service = "sluice.control.v1.ControlService";

/** The services that one version of reflection tells, as its bytes have them. */
function reflected(address: string, version: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const same = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(path, same, same);
  // ServerReflectionRequest { list_services: "*" }
  call.write(Buffer.of(0x3a, 1, 0x2a));
  call.end();
  return new Promise<string>((resolve, reject) => {
    call.on("data", (bytes: Buffer) => resolve(bytes.toString("latin1")));
    call.on("error", reject);
  }).finally(() => client.close());
}

test("grpcurl finds, describes and calls the API by reflection, in both of its versions", async () => {
  const api = await startGrpc();
  const listed = await grpcurl(api.address, "list");
  expect(listed.stdout.trim().split("\n").sort()).toEqual(["grpc.health.v1.Health", service]);
  for (const version of ["v1", "v1alpha"]) expect(await reflected(api.address, version)).toContain(service);
  const methods = (await grpcurl(api.address, "list", service)).stdout.trim().split("\n").sort();
  expect(methods).toEqual(controlService.methods.map(({ name }) => `${service}.${name}`).sort());
  const described = await grpcurl(api.address, "describe", "sluice.control.v1.ListConnectorsRequest");
  // What may be left out is told as such.
  expect(described.stdout).toContain("optional int32 limit = 1;");
  expect(described.stdout).toContain("Most items of a page, 1 to 1000");

  const token = ["-H", `authorization: Bearer ${api.token}`];
  const call = async (method: string, request: object, ...more: string[]) => {
    const { code, stdout, stderr } = await grpcurl(
      ...token,
      ...more,
      "-d",
      JSON.stringify(request),
      api.address,
      `${service}/${method}`,
    );
    return { code, stderr, body: code === 0 ? JSON.parse(stdout) : stdout };
  };
  expect((await call("CreateConnector", fileConnector(api))).body).toMatchObject({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: "files",
    config: { format: "ndjson" },
    createdAt: expect.stringMatching(/Z$/),
    version: 1,
  });
  const made = await call("CreateIntegration", { spec: integration() });
  expect(made.body).toMatchObject({
    name: "copy",
    spec: integration({ enabled: true }),
    enabled: true,
    status: "INTEGRATION_STATUS_ENABLED",
    health: "HEALTH_OK",
    durability: { tier: "DURABILITY_TIER_SYNCED", copies: 1 },
  });
  const run = (await call("StartRun", { id: made.body.id })).body;
  expect(run).toMatchObject({ integrationId: made.body.id, status: "RUN_STATUS_RUNNING", trigger: "manual" });

  const watching = grpcurl(...token, "-d", JSON.stringify({ id: run.id }), api.address, `${service}/WatchRun`);
  const counts = { in: 3, out: 2, filtered: 0, failed: 1, byDestination: { files: { out: 2, failed: 1 } } };
  await api.store.runs.finish(run.id, { status: "partial", error: null, counts });
  const { code, stdout } = await watching;
  expect(code).toBe(0);
  const seen = JSON.parse(`[${stdout.replaceAll(/^}\n\{/gm, "},{")}]`);
  expect(seen.at(-1)).toMatchObject({
    status: "RUN_STATUS_PARTIAL",
    recordsIn: "3",
    byDestination: { files: { out: "2", failed: "1" } },
  });

  const refused = await call("CreateConnector", { name: "x", type: "file", config: { fromat: "ndjson" } });
  expect(refused.code).toBe(64 + 3);
  expect(refused.stderr).toMatch(/Code: InvalidArgument/);
  expect(refused.stderr).toMatch(/google\.rpc\.ErrorInfo[\s\S]*"reason": ?"VALIDATION_ERROR"/);
  expect(refused.stderr).toMatch(/google\.rpc\.BadRequest[\s\S]*"field": ?"config/);
  expect(refused.stderr).toMatch(/google\.rpc\.RequestInfo/);
});

test("health is the node's readiness, asked and watched without a token", async () => {
  const api = await startGrpc();
  const health = async (service: string) => {
    const request = JSON.stringify({ service });
    const { code, stdout, stderr } = await grpcurl("-d", request, api.address, "grpc.health.v1.Health/Check");
    return code === 0 ? JSON.parse(stdout).status : stderr;
  };
  expect(await health("")).toBe("SERVING");
  expect(await health(service)).toBe("SERVING");
  expect(await health("another.Service")).toMatch(/NotFound/);
  const watching = grpcurl("-d", "{}", api.address, "grpc.health.v1.Health/Watch");
  api.parts.nats = "not connected";
  await expect.poll(() => health(""), { timeout: 60_000 }).toBe("NOT_SERVING");
  api.parts.nats = null;
  await expect.poll(() => health(""), { timeout: 60_000 }).toBe("SERVING");
  await api.stop();
  const { stdout } = await watching;
  expect(stdout).toContain('"status": "NOT_SERVING"');
  expect(stdout.match(/"status": "(\w+)"/g)?.at(-1)).toBe('"status": "NOT_SERVING"');
});

test("reflection tells what the .proto files say", () => {
  const text = readFileSync(new URL("../../proto/sluice/control/v1/control.proto", import.meta.url), "utf8");
  const inFile = [...text.matchAll(/^ {2}rpc (\w+)\(/gm)].map(([, name]) => name);
  expect(controlService.methods.map(({ name }) => name)).toEqual(inFile);
});
