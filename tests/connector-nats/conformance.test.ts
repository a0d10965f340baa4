import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { inject, test } from "vitest";
import { describeConnector, type Fixture } from "../../connectors/conformance/index.ts";
import { nats } from "../../connectors/nats/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { certifyBuiltIn } from "../support/certify.ts";
import { uniqueName } from "../support/servers.ts";

async function fixture(): Promise<Fixture> {
  const { host, username: user, password } = new URL(inject("natsUrl"));
  const connection = await connect({ servers: host, user, pass: password });
  const manager = await jetstreamManager(connection);
  const [people, landed] = [uniqueName("people"), uniqueName("landed")];
  await manager.streams.add({ name: people, subjects: [people] });
  await manager.streams.add({ name: landed, subjects: [`${landed}.*`] });
  const records: JsonObject[] = Array.from({ length: 20 }, (_, index) => ({
    id: index + 1,
    kind: "good",
    note: index % 3 === 0 ? null : 'ä"\\\n'.repeat(index * 10),
  }));
  for (const record of records) await jetstream(connection).publish(people, JSON.stringify(record));
  const servers = [host];
  const config = {
    servers,
    user,
    password,
    streams: { [landed]: { subject: `${landed}.{{ $.kind }}`, msg_id: false } },
  };
  return {
    context: { dataDir: "/nonexistent", fileRoots: [], expressions },
    config: config as unknown as JsonObject,
    badConfigs: [
      { config: { servers, user, password: "wrong" }, path: "config.password" },
      { config: { servers, token: "wrong" }, path: "config.token" },
      { config: { servers }, path: "config.user" },
      { config: { servers: ["127.0.0.1:1"], user, password }, path: "config.servers" },
      { config: { servers, user, password, tls: true }, path: "config.tls" },
    ],
    badCredentials: [
      { servers, user, password: "wrong" },
      { servers, token: "wrong" },
    ],
    source: {
      stream: people,
      mode: "incremental",
      records,
      missing: { stream: "peopel", path: "source.stream" },
      drift: async () => {
        await jetstream(connection).publish(people, JSON.stringify({ id: "21", colour: "red" }));
      },
    },
    destination: {
      stream: landed,
      modes: ["append"],
      records: records.slice(0, 8),
      refused: { id: 99, kind: "two words" },
      stored: () => all(manager, landed),
      clear: async () => {
        await manager.streams.purge(landed);
      },
    },
    close: async () => {
      for (const name of [people, landed]) await manager.streams.delete(name);
      await connection.close();
    },
  };
}

describeConnector(nats, fixture);

test("nats is certified as a plugin, and documented so", { timeout: 600_000 }, async () =>
  certifyBuiltIn("nats", await fixture()),
);

async function all(manager: JetStreamManager, stream: string): Promise<Json[]> {
  const { state } = await manager.streams.info(stream);
  const found: Json[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    found.push((await manager.streams.getMessage(stream, { seq }))?.json() as Json);
  }
  return found;
}
