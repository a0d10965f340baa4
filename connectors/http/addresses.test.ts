import * as dns from "node:dns/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { connect, httpContext, readBatches, recordsIn, serveHere } from "../../tests/support/http-server.ts";
import { localhostTls } from "../../tests/support/tls.ts";
import { AddressGuard } from "./addresses.ts";

vi.mock(import("node:dns/promises"), { spy: true });
beforeEach(() => {
  vi.mocked(dns.lookup).mockReset();
});

const closed = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "100.100.100.200",
  "127.0.0.1",
  "127.255.255.254",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "239.255.255.250",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:0:127.0.0.1",
  "64:ff9b::10.0.0.1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::1",
  "2002:7f00:1::",
  "2002:a9fe:a9fe::1",
  "2001::1",
  "2001:db8::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "localhost",
  "",
];
const open = [
  "1.1.1.1",
  "8.8.8.8",
  "172.32.0.1",
  "2606:4700::1111",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
  "2002:808:808::1",
];

test.each(closed)("%s is refused", (address) => {
  expect(new AddressGuard([]).allows(address)).toBe(false);
});

test.each(open)("%s is public", (address) => {
  expect(new AddressGuard([]).allows(address)).toBe(true);
});

test("what is named is allowed, in whatever form it comes, and nothing beside it", () => {
  const guard = new AddressGuard(["127.0.0.0/8", "10.0.0.5", "fd00::/8", "::1"]);
  for (const address of [
    "127.0.0.1",
    "127.9.9.9",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "10.0.0.5",
    "fd12::1",
    "::1",
  ]) {
    expect(guard.allows(address), address).toBe(true);
  }
  for (const address of ["10.0.0.6", "::ffff:10.0.0.6", "fe80::1", "169.254.169.254"]) {
    expect(guard.allows(address), address).toBe(false);
  }
});

test.each([
  "http://127.0.0.1",
  "http://2130706433",
  "http://0x7f.1",
  "http://0177.0.0.1",
  "http://127.1",
  "http://[::1]",
  "http://[::ffff:127.0.0.1]",
  "http://[::ffff:7f00:1]",
  "http://[64:ff9b::7f00:1]",
  "http://0",
  "http://169.254.169.254/latest/meta-data",
  "http://①②⑦.⓪.⓪.①",
])("nothing is sent to %s, however it is written", async (base_url) => {
  const connector = connect({ base_url }, { ...httpContext, allowAddresses: [] });
  await expect(readBatches(connector, "items")).rejects.toMatchObject({
    code: "FORBIDDEN",
    fault: "destination",
    path: "config.base_url",
    message: expect.stringContaining("SLUICE_ALLOW_ADDRESSES"),
  });
});

test("a name is looked up once for a connection, and that address is connected to, or none", async () => {
  const server = await serveHere(() => ({ body: [1], headers: { connection: "close" } }));
  const base_url = server.url.replace("127.0.0.1", "rebinding.example");
  const answer = (...addresses: string[]) =>
    vi
      .mocked(dns.lookup)
      .mockImplementation((async () => addresses.map((address) => ({ address, family: 4 }))) as never);
  const context = { ...httpContext, allowAddresses: ["127.0.0.1"] };
  const connector = connect({ base_url }, context);
  // Of several addresses the closed ones are left out.
  answer("169.254.169.254", "127.0.0.1");
  expect(recordsIn(await readBatches(connector, "items"))).toEqual([1]);
  expect(dns.lookup).toHaveBeenCalledTimes(1);
  // The name points elsewhere now: the next connection is asked about anew.
  answer("10.0.0.1");
  await expect(readBatches(connector, "items")).rejects.toMatchObject({
    code: "FORBIDDEN",
    message: expect.stringContaining("rebinding.example (10.0.0.1) is no public address"),
  });
  expect(server.asked).toHaveLength(1);
});

test("a redirect to a name that leads inside is refused", async () => {
  const server = await serveHere(() => ({ status: 302, headers: { location: "http://inside.example/" } }));
  vi.mocked(dns.lookup).mockImplementation((async () => [{ address: "192.168.0.1", family: 4 }]) as never);
  await expect(readBatches(connect({ base_url: server.url }), "items")).rejects.toMatchObject({ code: "FORBIDDEN" });
});

test("a certificate must be trusted and match the name, unless the config says otherwise", async () => {
  const server = createServer(localhostTls, (request, response) => {
    if (request.url === "/down") response.writeHead(302, { location: "http://127.0.0.1:1/" });
    else response.writeHead(200, { "content-type": "application/json" });
    response.end("[1]");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const [named, numbered] = [`https://localhost:${port}`, `https://127.0.0.1:${port}`];
  vi.mocked(dns.lookup).mockImplementation((async () => [{ address: "127.0.0.1", family: 4 }]) as never);
  const read = async (base_url: string, tls: object) =>
    recordsIn(await readBatches(connect({ base_url, tls: { ...tls } }), "items"));
  const refused = { code: "UNAVAILABLE", fault: "destination", path: "config.tls" };
  await expect(read(named, {})).rejects.toMatchObject(refused);
  expect(await read(named, { ca: localhostTls.cert })).toEqual([1]);
  await expect(read(numbered, { ca: localhostTls.cert })).rejects.toMatchObject(refused);
  expect(await read(numbered, { verify: false })).toEqual([1]);
  const down = readBatches(connect({ base_url: named, tls: { ca: localhostTls.cert } }), "/down");
  await expect(down).rejects.toThrow("from https to http");
});
