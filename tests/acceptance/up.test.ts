import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { sluice } from "../cli/sluice.ts";
import { createDatabase } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";

/** A port that another program has. */
async function takenPort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return String((server.address() as { port: number }).port);
}

test.each(["SLUICE_HTTP_PORT", "SLUICE_GRPC_PORT", "SLUICE_NATS_PORT", "SLUICE_POSTGRES_PORT"])(
  "a port that is taken ends the start with a sentence that names %s",
  async (setting) => {
    const own = { SLUICE_HTTP_PORT: "0", SLUICE_GRPC_PORT: "0" };
    const free = { ...own, SLUICE_NATS_PORT: "0", SLUICE_POSTGRES_PORT: "0" };
    const database = setting in own ? { SLUICE_DATABASE_URL: await createDatabase() } : {};
    const env: Record<string, string> = { ...free, ...database, [setting]: await takenPort() };
    // That it ends at all says that the servers which did start were stopped.
    const { code, stdout, stderr } = await sluice(["up"], { cwd: tempDir(), env });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(new RegExp(`sluice up: port ${env[setting]} for .* is taken .*${setting}`));
  },
);

test("a setting that is no port is a usage error", async () => {
  const { code, stderr } = await sluice(["up"], { cwd: tempDir(), env: { SLUICE_HTTP_PORT: "http" } });
  expect([code, stderr]).toEqual([2, expect.stringContaining("SLUICE_HTTP_PORT")]);
});

test("the version is told", async () => {
  const { code, stdout } = await sluice(["--version"], { cwd: tempDir() });
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^sluice \d+\.\d+\.\d+\n$/)]);
});
