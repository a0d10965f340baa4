import { once } from "node:events";
import { credentials, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { HealthClient, HealthCheckResponse_ServingStatus as Serving } from "../../proto/gen/grpc/health/v1/health.ts";
import { addHealth } from "./health.ts";

test("a thousand may watch at once, of what is not known too; one more is refused until one has gone", async () => {
  const server = new Server();
  const health = addHealth(server, { check: async () => ({}) }, new AbortController().signal);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    health.close();
    server.forceShutdown();
  });
  const watch = (service: string) => {
    const call = client.watch({ service });
    // Whoever is cancelled is told so.
    call.on("error", () => {});
    return call;
  };
  const open = Array.from({ length: 1_000 }, (_, index) => watch(index % 2 === 0 ? "" : "unknown"));
  const first = await Promise.all(open.map((call) => once(call, "data")));
  expect(first.slice(0, 2)).toEqual([[{ status: Serving.SERVING }], [{ status: Serving.SERVICE_UNKNOWN }]]);
  const refusal = (call: ReturnType<typeof watch>) =>
    new Promise((resolve) => call.once("error", resolve).once("data", () => resolve("watched")));
  expect(await refusal(watch(""))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  open[1]!.cancel();
  await expect.poll(() => refusal(watch("")), { timeout: 60_000 }).toBe("watched");
}, 120_000);
