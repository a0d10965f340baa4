import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../adapters/embedded/ports.ts";
import { Plugin, type PluginAddress } from "../../adapters/plugin/index.ts";
import { type ServedPlugin, servePlugin } from "../../connectors/sdk/serve/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { localhostTls, otherTls } from "../support/tls.ts";
import { noted } from "./noted-type.ts";

const idle = new AbortController().signal;
const wait = { timeout: 60_000, interval: 25 };
const pem = ({ cert, key }: { cert: string; key: string }) => ({
  ca: Buffer.from(localhostTls.cert),
  cert: Buffer.from(cert),
  key: Buffer.from(key),
});
const tls = { ca: localhostTls.cert, ...localhostTls };

async function serve(options: { version?: string; port?: number; tls?: ReturnType<typeof pem> } = {}) {
  const { version = "1.0.0", port = 0, ...more } = options;
  let served: ServedPlugin | undefined = await servePlugin(noted(version, () => {}) as never, {
    address: `localhost:${port}`,
    ...more,
  });
  const stop = async () => {
    const stopping = served;
    served = undefined;
    await stopping?.stop();
  };
  onTestFinished(stop);
  return { address: served.address, stop };
}

async function reach(plugin: PluginAddress): Promise<Plugin> {
  const reached = await Plugin.start({ name: "far", plugin, logger: noLogger });
  onTestFinished(() => reached.stop());
  return reached;
}

test("a plugin is reached at an address with certificates on both sides", async () => {
  const { address } = await serve({ tls: pem(localhostTls) });
  const { type } = await reach({ address, tls });
  expect(type).toMatchObject({ type: "noted", version: "1.0.0" });
  expect(await type.create({}, { dataDir: "/", fileRoots: [] }).discover(idle)).toMatchObject([{ name: "numbers" }]);
});

test("the certificate may be for another name than the address has, where that is said", async () => {
  const { address } = await serve({ tls: pem(localhostTls) });
  const there = address.replace("localhost", "127.0.0.1");
  await expect(reach({ address: there, tls })).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    message: expect.stringMatching(
      /^plugin far shows a certificate for another name \(tls\.server_name\): .*127\.0\.0\.1/,
    ),
  });
  expect((await reach({ address: there, tls: { ...tls, serverName: "localhost" } })).type.type).toBe("noted");
});

test.each([
  [
    "a certificate of the plugin's that ca does not vouch for",
    localhostTls,
    { ...tls, ca: otherTls.cert },
    "UNAUTHORIZED",
    /tls\.ca does not vouch for: self-signed certificate$/,
  ],
  [
    "a certificate of sluice's that the plugin does not trust",
    localhostTls,
    { ...tls, ...otherTls },
    "UNAVAILABLE",
    /^plugin far ends the connection at once: it expects TLS, or another certificate \(tls\)$/,
  ],
  [
    "no TLS where the plugin wants it",
    localhostTls,
    undefined,
    "UNAVAILABLE",
    /^plugin far ends the connection at once: it expects TLS/,
  ],
  ["what is no PEM", localhostTls, { ...tls, key: "my key" }, "VALIDATION_ERROR", /^tls holds no PEM that can be read/],
])("%s has a code and a sentence", async (_, own, theirs, code, message) => {
  const { address } = await serve({ tls: pem(own) });
  const reaching = reach({ address, ...(theirs && { tls: theirs }) });
  await expect(reaching).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test("what speaks no TLS at the address is said so", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 ready\r\n"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  await expect(reach({ address: `127.0.0.1:${port}`, tls: { ...tls, serverName: "localhost" } })).rejects.toMatchObject(
    {
      code: "UNAVAILABLE",
      message: "plugin far speaks no TLS at its address",
    },
  );
});

test("nobody at an address, and a name that nobody knows, are said so", async () => {
  const port = await freePort();
  await expect(reach({ address: `127.0.0.1:${port}` })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: `plugin far cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
  });
  await expect(reach({ address: "no.such.host.invalid:7000" })).rejects.toThrow(
    "plugin far cannot be reached: nobody knows no.such.host.invalid:7000",
  );
  await expect(reach({ address: "unix:/nowhere/socket" })).rejects.toThrow(
    /^plugin far cannot be reached: connect ENOENT/,
  );
});

test("a plugin that goes away and comes back is reached again, also as another version where that is taken", async () => {
  const port = await freePort();
  const first = await serve({ port });
  const seen: string[] = [];
  const plugin = Plugin.keep({
    name: "far",
    plugin: { address: first.address },
    logger: noLogger,
    accept: async ({ version }) => {
      seen.push(version);
      return version === "3.0.0" ? "is too new" : undefined;
    },
  });
  onTestFinished(() => plugin.stop());
  await expect.poll(() => plugin.state.status, wait).toBe("ready");
  await first.stop();
  await expect.poll(() => plugin.state.status, wait).toBe("unavailable");
  expect(plugin.state.reason).toMatch(/cannot be reached: connect ECONNREFUSED/);
  await expect(plugin.lease(idle)).rejects.toMatchObject({ code: "UNAVAILABLE", fault: "destination", notReady: true });
  const second = await serve({ port, version: "2.0.0" });
  await expect.poll(() => plugin.state.status, wait).toBe("ready");
  expect(plugin.type.version).toBe("2.0.0");
  await second.stop();
  await serve({ port, version: "3.0.0" });
  await expect.poll(() => plugin.state.reason, wait).toBe("is too new");
  expect(new Set(seen)).toEqual(new Set(["1.0.0", "2.0.0", "3.0.0"]));
});

test("a plugin that is retired lives until nobody uses it", async () => {
  const { address } = await serve();
  const plugin = Plugin.keep({ name: "far", plugin: { address }, logger: noLogger, accept: async () => undefined });
  const one = await plugin.lease(idle);
  const other = await plugin.lease(idle);
  let gone = false;
  const retiring = plugin.retire(60_000).then(() => {
    gone = true;
  });
  one.release();
  one.release();
  await new Promise((resolve) => setImmediate(resolve));
  expect(gone).toBe(false);
  other.release();
  await retiring;
  await expect(plugin.lease(idle)).rejects.toThrow("plugin far was stopped");
  const late = Plugin.keep({ name: "far", plugin: { address }, logger: noLogger, accept: async () => undefined });
  await late.lease(idle);
  await late.retire(10);
  expect(late.state.status).toBe("unavailable");
});
