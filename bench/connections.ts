import { once } from "node:events";
import { connect } from "node:net";

export interface Answered {
  /** Of each request that was answered as is right, in milliseconds. */
  readonly latencies: number[];
  /** How many were answered otherwise, by status. */
  readonly others: Map<number, number>;
  readonly seconds: number;
}

export interface Load {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly token?: string;
  readonly body?: string;
  /** Head and body of the next request, where they are not the same each time. */
  readonly next?: () => Buffer;
  /** The answer that is right; 200. */
  readonly right?: number;
  /** Each has one request under way at any time. */
  readonly connections: number;
  readonly seconds: number;
}

/** The same request over and over, or `next`. By hand over sockets: a client that costs as much as the server would measure itself. */
export async function ask({
  url,
  method,
  path,
  token,
  body = "",
  next,
  right = 200,
  connections,
  seconds,
}: Load): Promise<Answered> {
  const { hostname, port } = new URL(url);
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(body === "" ? [] : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const request = Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
  const latencies: number[] = [];
  const others = new Map<number, number>();
  const begun = performance.now();
  const endsAt = begun + seconds * 1000;
  const one = async () => {
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    socket.setNoDelay(true);
    const ended = Promise.withResolvers<void>();
    let sentAt = 0;
    let text = "";
    const send = () => {
      if (performance.now() >= endsAt) return void socket.end();
      sentAt = performance.now();
      socket.write(next ? next() : request);
    };
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const status = Number(text.slice(9, 12));
      if (status === right) latencies.push(performance.now() - sentAt);
      else others.set(status, (others.get(status) ?? 0) + 1);
      text = text.slice(end + 4 + length);
      send();
    });
    socket.on("error", ended.reject);
    socket.on("close", () => ended.resolve());
    send();
    await ended.promise;
  };
  await Promise.all(Array.from({ length: connections }, one));
  return { latencies, others, seconds: (performance.now() - begun) / 1000 };
}
