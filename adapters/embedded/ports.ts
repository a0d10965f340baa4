import { createServer } from "node:net";

/** Below the ports that Linux and macOS give to outgoing connections: one of those would take it while its server is down. */
const [firstPort, lastPort] = [10_000, 32_000];

/** A free port on 127.0.0.1. Throws where the system lets nobody listen, whatever the port. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort));
    try {
      return await listenOnce(port);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
    }
  }
}

/** @throws with the setting to change when something listens on `port` of 127.0.0.1. */
export async function ensurePortFree(port: number, server: string, setting: string): Promise<void> {
  try {
    await listenOnce(port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === "EADDRINUSE" ? "is taken by another program" : `cannot be used (${code})`;
    throw new Error(`port ${port} for the embedded ${server} ${reason}. Set ${setting} to a free port.`);
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
