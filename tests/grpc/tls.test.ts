import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect } from "node:tls";
import { type ChannelCredentials, credentials, status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../cli/client.ts";
import { ControlServiceClient } from "../../proto/gen/sluice/control/v1/control.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";
import { localhostTls, otherTls } from "../support/tls.ts";
import { as, ask } from "./support.ts";

const noPage = { limit: undefined, cursor: undefined, name: undefined };

test("a node with a certificate speaks TLS alone, REST and gRPC, and shows a renewed one without a restart", {
  timeout: 240_000,
}, async () => {
  const folder = tempDir();
  const [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
  const write = (pair: typeof localhostTls) => {
    writeFileSync(key, pair.key);
    writeFileSync(cert, pair.cert);
  };
  write(localhostTls);
  const node = await TestNode.start({ env: { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key } });
  expect(node.url).toMatch(/^https:\/\/localhost:\d+$/);
  const ca = path.join(folder, "ca.pem");
  writeFileSync(ca, localhostTls.cert);
  const env = { SLUICE_URL: node.url, SLUICE_TOKEN: node.token };
  expect(await createClient({ ...env, SLUICE_CA: ca }).call("GET", "/v1/connectors")).toMatchObject({ items: [] });
  const { port } = new URL(node.url);
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();

  const grpc = new URL(readFileSync(path.join(node.dataDir, "grpc-url"), "utf8").trim());
  const listed = (given: ChannelCredentials) => {
    const client = new ControlServiceClient(`localhost:${grpc.port}`, given, { "grpc.use_local_subchannel_pool": 1 });
    onTestFinished(() => client.close());
    return ask(client, client.listConnectors, noPage, as(node.token));
  };
  expect(grpc.protocol).toBe("https:");
  expect(await listed(credentials.createSsl(Buffer.from(localhostTls.cert)))).toMatchObject({ items: [] });
  for (const given of [credentials.createInsecure(), credentials.createSsl(Buffer.from(otherTls.cert))])
    await expect(listed(given)).rejects.toMatchObject({ code: status.UNAVAILABLE });

  write(otherTls);
  const shown = (at: string) =>
    new Promise((resolve) => {
      const socket = connect(
        { host: "127.0.0.1", port: Number(at), servername: "localhost", ca: otherTls.cert },
        () => {
          resolve(socket.authorized);
          socket.destroy();
        },
      );
      socket.on("error", () => resolve(false));
    });
  for (const at of [port, grpc.port]) await expect.poll(() => shown(at), { timeout: 90_000 }).toBe(true);
  expect(await listed(credentials.createSsl(Buffer.from(otherTls.cert)))).toMatchObject({ items: [] });
});
