import { writeFileSync } from "node:fs";
import path from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../cli/client.ts";
import { tlsSettings } from "../../cli/gateway-settings.ts";
import { nameFor, ServerTls } from "../../gateway/tls/index.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { tempDir } from "../support/temp-dir.ts";
import { localhostTls, otherTls } from "../support/tls.ts";
import { startApi } from "./support.ts";

type Pair = typeof localhostTls;

/** Certificate and key in files, which are looked at when the test says so. */
async function opened(more: NodeJS.ProcessEnv = {}, warned: string[] = []) {
  const folder = tempDir();
  const file = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const write = ({ cert, key }: Pair) => ({ SLUICE_TLS_CERT: file("cert", cert), SLUICE_TLS_KEY: file("key", key) });
  const settings = tlsSettings({ ...write(localhostTls), ...more }, folder)!;
  const logger = { ...noLogger, warn: (_: unknown, message: string) => void warned.push(message) };
  const tls = await ServerTls.open(settings, logger, 3_600_000);
  onTestFinished(() => tls.close());
  return { tls, write, file };
}

async function served(more?: NodeJS.ProcessEnv) {
  const files = await opened(more);
  const api = await startApi({ tls: files.tls });
  await api.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = api.app.server.address() as { port: number };
  return { ...api, ...files, port };
}

/** The certificate that the server shows, by its fingerprint, or the error's code. */
function shown(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ...options }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

test("with a certificate the API is served by https, and the command line trusts the authority it is given", async () => {
  const { port, token, file, tls } = await served();
  const url = `https://${nameFor("127.0.0.1", tls.material.cert)}:${port}`;
  expect(url).toBe(`https://localhost:${port}`);
  const env = { SLUICE_URL: url, SLUICE_TOKEN: token };
  const ca = file("ca", localhostTls.cert);
  expect(await createClient({ ...env, SLUICE_CA: ca }).call("GET", "/v1/connectors")).toMatchObject({ items: [] });
  await expect(createClient(env).call("GET", "/v1/connectors")).rejects.toThrow(/SLUICE_CA/);
  await expect(createClient({ ...env, SLUICE_CA: file("ca", otherTls.cert) }).call("GET", "/healthz")).rejects.toThrow(
    /SELF_SIGNED/,
  );
  expect(() => createClient({ ...env, SLUICE_CA: path.join(ca, "none") })).toThrow(/SLUICE_CA cannot be read/);
  expect(await shown(port, { ca: localhostTls.cert, minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).toMatch(
    /^ERR_SSL/,
  );
});

test("a certificate that was changed is shown from the next connection on, one that fits no key is not", async () => {
  const { port, tls, write, file } = await served();
  const first = await shown(port, { ca: localhostTls.cert });
  write(otherTls);
  await tls.look();
  const second = await shown(port, { ca: otherTls.cert });
  expect(second).toMatch(/^(\w\w:){31}\w\w$/);
  expect(second).not.toBe(first);
  file("cert", localhostTls.cert);
  await tls.look();
  expect(await shown(port, { ca: otherTls.cert })).toBe(second);
  write(localhostTls);
  await tls.look();
  expect(await shown(port, { ca: localhostTls.cert })).toBe(first);
});

test("what cannot be used is told once, however often it is looked at", async () => {
  const warned: string[] = [];
  const { tls, file } = await opened({}, warned);
  file("key", otherTls.key);
  await tls.look();
  await tls.look();
  expect(warned).toEqual(["the changed certificate cannot be used"]);
});

test("with an authority of clients only those are answered who have a certificate of it", async () => {
  const folder = tempDir();
  const SLUICE_TLS_CLIENT_CA = path.join(folder, "ca");
  writeFileSync(SLUICE_TLS_CLIENT_CA, otherTls.cert);
  const { port, token, file } = await served({ SLUICE_TLS_CLIENT_CA });
  const env = {
    SLUICE_URL: `https://localhost:${port}`,
    SLUICE_TOKEN: token,
    SLUICE_CA: file("server-ca", localhostTls.cert),
  };
  await expect(createClient(env).call("GET", "/healthz")).rejects.toThrow(/no server answers/);
  const own = {
    SLUICE_CLIENT_CERT: file("client-cert", otherTls.cert),
    SLUICE_CLIENT_KEY: file("client-key", otherTls.key),
  };
  expect(await createClient({ ...env, ...own }).call("GET", "/healthz")).toEqual({ status: "ok" });
});

test("settings that do not go together are refused by name, and files that are not there", async () => {
  const of = (env: NodeJS.ProcessEnv) => () => tlsSettings(env, "/");
  expect(tlsSettings({}, "/")).toBeUndefined();
  expect(of({ SLUICE_TLS_CERT: "a" })).toThrow(/SLUICE_TLS_CERT and SLUICE_TLS_KEY go together/);
  expect(of({ SLUICE_TLS_CLIENT_CA: "a" })).toThrow(/go together/);
  expect(of({ SLUICE_TLS_MIN_VERSION: "TLSv1.1" })).toThrow('SLUICE_TLS_MIN_VERSION is "TLSv1.1"');
  const settings = of({ SLUICE_TLS_CERT: "none.pem", SLUICE_TLS_KEY: "none.pem" })()!;
  await expect(ServerTls.open(settings, noLogger)).rejects.toThrow(/SLUICE_TLS_(CERT|KEY) cannot be read/);
});
