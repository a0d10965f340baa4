import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Stands between client and server, to lose answers and connections. */
export interface TestProxy {
  readonly url: string;
  /** From now on what the server says is lost; resolves when it has said something. */
  loseAnswers(): Promise<void>;
  /** Ends all connections; new ones work again. */
  cut(): void;
  /** Refuses new connections, or takes them again. */
  refuse(refuse: boolean): void;
  close(): Promise<void>;
}

export async function startProxy(target: string): Promise<TestProxy> {
  const { port } = new URL(target);
  const sockets = new Set<Socket>();
  let lose: (() => void) | undefined;
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    const upstream = connect(Number(port), "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (data) => {
      if (lose) lose();
      else client.write(data);
    });
    return undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cut = () => {
    lose = undefined;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `nats://127.0.0.1:${address.port}`,
    loseAnswers: () =>
      new Promise((resolve) => {
        lose = resolve;
      }),
    cut,
    refuse(refuse) {
      refusing = refuse;
    },
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
