import { setTimeout as delay } from "node:timers/promises";
import { type Behaviour, CountingServer } from "../../support/counting-server.ts";
import { TestNode } from "../../support/node.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { Load, shareOf } from "./load.ts";
import type { LoadKind } from "./load-kind.ts";
import type { Scenario } from "./scenario.ts";

interface Fault {
  readonly name: string;
  readonly what: string;
  strike(server: CountingServer, node: TestNode): Promise<void>;
  /** What may come again: requests that were under way (`broken`), what a crash repeats (`ended`), or nothing. */
  readonly repeats?: "broken" | "ended";
  /** `append` unless it says otherwise. */
  readonly kind?: LoadKind;
  /** For a request, so that one that is not answered is noticed soon. */
  readonly delivery?: object;
}

/** Milliseconds that a server is not well. */
const awayMs = 1_000;

async function while_(server: CountingServer, behaviour: Behaviour): Promise<void> {
  await server.busy();
  server.become(behaviour);
  await delay(awayMs);
  server.become("well");
}

const faults: readonly Fault[] = [
  {
    name: "cut",
    what: "An HTTP destination takes what is under way, ends every connection and takes no other for a while",
    strike: (server) => while_(server, "cut"),
    repeats: "broken",
  },
  {
    name: "silent",
    what: "An HTTP destination takes what is under way, and answers nothing for a while",
    strike: (server) => while_(server, "silent"),
    repeats: "broken",
    delivery: { timeout: { total: "2s" } },
  },
  {
    name: "busy",
    what: "An HTTP destination answers 503 for a while",
    strike: (server) => while_(server, "busy"),
  },
  {
    name: "forbidden",
    what: "An HTTP destination that is written to in order by key answers 403 for a while",
    strike: (server) => while_(server, "forbidden"),
    kind: "key",
  },
  {
    name: "kill",
    what: "kill -9 of a node in the middle of requests to a slow HTTP destination",
    async strike(server, node) {
      server.become("slow");
      await server.busy();
      await node.kill();
      server.become("well");
      await node.start();
    },
    repeats: "ended",
  },
  {
    name: "stop",
    what: "A node is stopped in the middle of requests to an HTTP destination that is slower than a stop is patient",
    async strike(server, node) {
      server.become("slow");
      await server.busy();
      await node.stop();
      server.become("well");
      await node.start();
    },
    repeats: "broken",
  },
];

/** Each record arrives; what is there twice is what was under way, and not answered. */
export const http: readonly Scenario[] = faults.map(
  ({ name, what, strike, repeats, kind = "append", delivery = {} }) => ({
    name: `http-${name}`,
    what,
    async run(stage) {
      const node = await stage.shared("http", (atEnd) =>
        TestNode.start({ folder: tempDir(atEnd), env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" }, atEnd }),
      );
      stage.watch(node);
      const server = await CountingServer.start();
      stage.atEnd(() => server.close());
      // For a stop to end before what is under way does.
      server.slowMs = 6_000;
      const times = stage.scale === "long" ? 4 : 1;
      const load = await Load.begin(stage, node, {
        database: "",
        to: ["http"],
        kind,
        server,
        delivery,
        ...(stage.scale === "short" && { seconds: 3 }),
      });
      for (let n = 0; n < times; n++) {
        await load.reach(shareOf(n, times, stage.random));
        await strike(server, node);
      }
      return await load.account(times, {
        ended: repeats === "ended" ? times : 0,
        broken: repeats === "broken" ? times : 0,
      });
    },
  }),
);
