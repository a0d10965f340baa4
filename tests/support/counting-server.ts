import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * `cut`: what is under way is taken and its connection ends without an answer, and no other one carries anything.
 * `silent`: what is under way is taken and not answered, what comes is neither taken nor answered.
 * `busy`: 503 to whatever comes. `forbidden`: 403. `slow`: whatever comes is taken, and answered late.
 */
export type Behaviour = "well" | "cut" | "silent" | "busy" | "forbidden" | "slow";

interface UnderWay {
  readonly ids: readonly number[];
  readonly response: ServerResponse;
}

interface Counted {
  readonly id: number;
  readonly account?: number;
}

/** An HTTP destination that counts: arrays of records with an `id`, or one record, by POST. */
export class CountingServer {
  readonly url: string;
  /** How often each id was taken. */
  readonly taken = new Map<number, number>();
  /** Ids as they were taken, each time. */
  readonly order: number[] = [];
  /** How many were taken behind a newer one of their `account`. */
  overtaken = 0;
  /** Milliseconds that an answer takes, and while it is slow. */
  answerMs = 5;
  slowMs = 300;
  readonly #server: ReturnType<typeof createServer>;
  readonly #underWay = new Set<UnderWay>();
  readonly #newest = new Map<number | undefined, number>();
  #behaviour: Behaviour = "well";
  #requests = 0;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<CountingServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const counting = new CountingServer(server);
    server.on("request", (request, response) => void counting.#take(request, response).catch(() => response.destroy()));
    return counting;
  }

  /** Requests that were taken. */
  get requests(): number {
    return this.#requests;
  }

  become(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
    if (behaviour === "cut") {
      for (const { response } of this.#underWay) response.destroy();
      this.#server.closeAllConnections();
    }
  }

  /** Resolves when a request is under way. */
  async busy(): Promise<void> {
    while (this.#underWay.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#behaviour === "cut") return void response.destroy();
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (this.#behaviour === "busy") return void response.writeHead(503).end();
    if (this.#behaviour === "forbidden") return void response.writeHead(403).end();
    if (this.#behaviour === "silent") return;
    const body: unknown = JSON.parse(Buffer.concat(pieces).toString());
    const records = [body].flat() as Counted[];
    const ids = records.map(({ id }) => id);
    for (const { id, account } of records) {
      if (id <= (this.#newest.get(account) ?? -1)) this.overtaken++;
      else this.#newest.set(account, id);
      this.taken.set(id, (this.taken.get(id) ?? 0) + 1);
      this.order.push(id);
    }
    this.#requests++;
    const one = { ids, response };
    this.#underWay.add(one);
    const ms = this.#behaviour === "slow" ? this.slowMs : this.answerMs;
    setTimeout(() => {
      this.#underWay.delete(one);
      if (this.#behaviour !== "silent") response.writeHead(201).end();
    }, ms);
  }
}
