import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

/** Takes what a plugin exports by OTLP over HTTP, JSON or protobuf, as texts to search. */
export class SpanCollector {
  readonly url: string;
  readonly texts: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", async (request, response) => {
      const body = await buffer(request).catch(() => Buffer.alloc(0));
      const isZipped = request.headers["content-encoding"] === "gzip";
      if (body.length > 0) this.texts.push((isZipped ? gunzipSync(body) : body).toString());
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  }

  static async start(): Promise<SpanCollector> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new SpanCollector(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
