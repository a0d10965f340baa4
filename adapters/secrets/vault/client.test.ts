import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { vaultClient } from "./client.ts";

test("an answer of Vault that quotes what was sent keeps none of it, not even where it is cut", async () => {
  const token = "hvs.planted-token-of-some-length";
  const secret = "planted-secret-id-of-some-length";
  const server = createServer((_, response) => {
    const said = `${"x".repeat(290)}${token} ${secret}`;
    response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ errors: [said, token] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const request = await vaultClient({ address: `http://127.0.0.1:${port}` } as never);
  const error = await request("POST", "auth/approle/login", token, { secret_id: secret }).catch((each: Error) => each);
  expect(error).toMatchObject({
    name: "VaultError",
    status: 400,
    message: `${"x".repeat(290)}*** ***; ***`.slice(0, 300),
  });
});
