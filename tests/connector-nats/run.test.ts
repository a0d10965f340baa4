import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type JetStreamClient, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { startServer } from "../jetstream/server.ts";
import type { Run } from "../support/api.ts";
import { TestNode } from "../support/node.ts";

const patience = { timeout: 120_000, interval: 50 };
vi.setConfig({ testTimeout: 300_000 });

// A node that is given no time may lose its integrations, and what core NATS sends before it has them again.
const again = { retry: 2 };

test(
  "JetStream, core messages and requests are read all the time, over hours, kill -9 of the server and of the node",
  again,
  async () => {
    const server = await startServer();
    onTestFinished(() => server.remove());
    const node = await TestNode.start({ env: { SLUICE_TEST_EVENT_RUN_MS: "2000" } });
    const { api } = node;
    let connection: NatsConnection;
    let js: JetStreamClient;
    const open = async () => {
      connection = await connect({ servers: server.url.slice("nats://".length) });
      js = jetstream(connection);
    };
    await open();
    onTestFinished(() => connection.close());
    const manager = await jetstreamManager(connection!);
    await manager.streams.add({ name: "orders", subjects: ["orders"] });
    await manager.streams.add({ name: "copies", subjects: ["copies"] });

    await api.connector("bus", "nats", {
      servers: [server.url],
      streams: {
        ticks: { via: "core", subject: "ticks.*" },
        ask: { via: "request", reply: { taken: "{{ $.n }}" } },
      },
    });
    await api.connector("files", "file", { path: node.files });
    const trigger = { type: "event" };
    const delivery = { retry: { initial: "100ms", max: "1s" } };
    const applied = async (integrations: object[]) => await api.call("POST", "/v1/apply", { integrations });
    const integration = async (name: string, stream: string, destination: object) => {
      await applied([{ name, source: { connector: "bus", stream }, destination, trigger, delivery }]);
      const { items } = await api.call<{ items: { id: string }[] }>("GET", `/v1/integrations?name=${name}`);
      return items[0]!.id;
    };
    const orders = await integration("orders", "orders", { connector: "bus", stream: "copies" });
    const ticks = await integration("ticks", "ticks", { connector: "files", stream: "ticks.ndjson" });
    await integration("ask", "ask", { connector: "files", stream: "ask.ndjson" });
    const runs = async (id: string) =>
      (await api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs?limit=200`)).items;
    const ended = async (id: string) => (await runs(id)).filter(({ status }) => status !== "running").length;
    const landed = (file: string): number[] => {
      const path = join(node.files, file);
      const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
      return lines.map((line) => (JSON.parse(line) as { n: number }).n);
    };
    const copied = async () => {
      const info = await (await jetstreamManager(connection)).streams.info("copies");
      return info.state.messages;
    };

    // Core messages: none is missed where one run ends and the next begins.
    await expect.poll(() => ended(ticks), patience).toBeGreaterThanOrEqual(1);
    // A run of two seconds may be over before its source is open.
    const probed = () => {
      connection!.publish("ticks.probe", JSON.stringify({ n: -1 }));
      return landed("ticks.ndjson").length;
    };
    await expect.poll(probed, patience).toBeGreaterThan(0);
    const ticked = () => landed("ticks.ndjson").filter((n) => n >= 0);
    const before = await ended(ticks);
    let sent = 0;
    let published = 0;
    const more = async (count: number) => {
      for (let n = 0; n < count; n++) await js.publish("orders", JSON.stringify({ n: published++ }));
    };
    while ((await ended(ticks)) < before + 2) {
      for (let n = 0; n < 50; n++) connection!.publish(`ticks.${n}`, JSON.stringify({ n: sent++ }));
      await connection!.flush();
      await more(20);
    }
    await expect.poll(() => ticked().length, patience).toBe(sent);
    expect(ticked()).toEqual(Array.from({ length: sent }, (_, n) => n));
    const answer = await connection!.request("ask", JSON.stringify({ n: 7 }), { timeout: 60_000 });
    expect(answer.json()).toEqual({ taken: 7 });
    await expect.poll(() => landed("ask.ndjson"), patience).toEqual([7]);

    await server.kill();
    const health = async () =>
      await api.call<{ health: string; health_reason: string }>("GET", `/v1/integrations/${orders}`);
    await expect
      .poll(health, patience)
      .toMatchObject({ health: "waiting", health_reason: expect.stringContaining("nats-server") });
    await server.start();
    await connection!.close();
    await open();
    await more(500);
    await node.kill();
    await more(500);
    await node.start();
    await more(10);
    await expect.poll(copied, patience).toBe(published);
    const file = await connection!.request("ask", JSON.stringify({ n: 8 }), { timeout: 60_000 });
    expect(file.json()).toEqual({ taken: 8 });
    await expect
      .poll(async () => (await api.call<{ health: string }>("GET", `/v1/integrations/${orders}`)).health, patience)
      .toBe("ok");
    expect((await runs(orders)).filter(({ status }) => status === "failed")).toEqual([]);
  },
);
