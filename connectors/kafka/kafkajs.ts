import net from "node:net";
import tls from "node:tls";
import kafkajs from "kafkajs";
import Broker from "kafkajs/src/broker/index.js";
import loggers from "kafkajs/src/loggers/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import errors from "kafkajs/src/protocol/error.js";
import metadataRequests, { type TopicMetadata } from "kafkajs/src/protocol/requests/metadata/index.js";
import { ConnectorError } from "../sdk/index.ts";
import { brokerError } from "./errors.ts";
import { mendTimers } from "./timers.ts";
import { Reader, type Writer } from "./wire.ts";

/**
 * The one place that knows kafkajs. Of it come connections, TLS, log-in and the protocol of cluster and groups; its
 * producer, its consumer and its codec of records are not used (decision 0022).
 */

export type { Broker, TopicMetadata };

/** What members of a group write into what is opaque to the brokers. */
export const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

export interface KafkaSettings {
  /** `host:port`, as far as the caller knows them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: tls.ConnectionOptions | null;
  readonly sasl: { readonly mechanism: string; readonly username: string; readonly password: string } | null;
  readonly connectMs: number;
  readonly readMs: number;
}

/** A request in our own encoding. */
export interface OwnRequest<T> {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  write(to: Writer): void;
  read(from: Reader): T;
}

const silent = loggers.createLogger({ level: 0, logCreator: () => () => {} });
const metadataRequest = metadataRequests.protocol({ version: 6 });

mendTimers();

/** The name of a protocol error: `TOPIC_AUTHORIZATION_FAILED`. */
export function errorName(code: number): string {
  return errors.createErrorFromCode(code).type;
}

/** Connections to the brokers of a cluster. What fails throws a ConnectorError. */
export class KafkaClient {
  readonly #settings: KafkaSettings;
  readonly #sockets = new Set<net.Socket>();
  /** By `host:port`. */
  readonly #brokers = new Map<string, Broker>();
  #addresses = new Map<number, string>();
  #isClosed = false;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
  }

  /** Of these topics, or of all; leaders are known from then on. A topic that is not there has an error code. */
  async metadata(topics: readonly string[] | "all"): Promise<readonly TopicMetadata[]> {
    // Without topics kafkajs asks for all.
    const { request, response } = metadataRequest({
      topics: topics === "all" ? [] : topics,
      allowAutoTopicCreation: false,
    });
    const { brokers, topicMetadata } = await this.#any((broker) =>
      broker.connectionPool.send({ request, response: { ...response, parse: async (decoded) => decoded } }),
    );
    this.#addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]));
    return topicMetadata;
  }

  async call<T>(node: number, ask: (broker: Broker) => Promise<T>): Promise<T> {
    const address = this.#addresses.get(node);
    if (address === undefined) {
      const message = `The cluster has no broker ${node} at the moment.`;
      throw new ConnectorError("UNAVAILABLE", message, { fault: "destination", path: "config.brokers" });
    }
    return this.#at(address, ask);
  }

  /** `bytes` are read until the answer is there. `begun`: there is a connection, and the broker may have them from now on. */
  send<T>(node: number, own: OwnRequest<T>, bytes: Writer, begun = () => {}): Promise<T> {
    own.write(bytes);
    const { apiKey, apiVersion, apiName } = own;
    const payload = { buf: bytes.bytes, buffer: bytes.bytes };
    return this.call(node, (broker) => {
      begun();
      return broker.connectionPool.send({
        request: { apiKey, apiVersion, apiName, encode: async () => payload },
        response: { decode: async (answer) => own.read(new Reader(answer)), parse: async (decoded) => decoded },
      });
    });
  }

  /** The broker that a group's members talk to. */
  async coordinator(groupId: string): Promise<number> {
    const found = await this.#any((broker) => broker.findGroupCoordinator({ groupId, coordinatorType: 0 }));
    const { nodeId, host, port } = found.coordinator;
    this.#addresses.set(nodeId, `${host}:${port}`);
    return nodeId;
  }

  /** Any broker: gives an id for an idempotent producer. */
  producerId(): Promise<{ readonly producerId: string; readonly producerEpoch: number }> {
    return this.#any((broker) => broker.initProducerId({ transactionTimeout: this.#settings.readMs }));
  }

  /** Ends all connections at once; what is under way fails. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy(new Error("the connection was closed here"));
  }

  /** One that is connected, else the first that can be reached. */
  async #any<T>(ask: (broker: Broker) => Promise<T>): Promise<T> {
    const known = [...new Set([...this.#addresses.values(), ...this.#settings.brokers])];
    const connected = known.find((address) => this.#brokers.get(address)?.isConnected());
    if (connected !== undefined) return this.#at(connected, ask);
    let first: unknown;
    for (const address of known) {
      try {
        await this.#connect(address);
      } catch (error) {
        first ??= error;
        continue;
      }
      return this.#at(address, ask);
    }
    throw first;
  }

  async #at<T>(address: string, ask: (broker: Broker) => Promise<T>): Promise<T> {
    const broker = await this.#connect(address);
    try {
      return await ask(broker);
    } catch (error) {
      throw brokerError(error, address, "sent");
    }
  }

  async #connect(address: string): Promise<Broker> {
    const { connectMs } = this.#settings;
    let broker = this.#brokers.get(address);
    if (broker?.isConnected()) return broker;
    if (this.#isClosed) throw new ConnectorError("UNAVAILABLE", "The connection was closed.", { fault: "transient" });
    if (!broker) {
      broker = new Broker({ connectionPool: this.#pool(address), logger: silent, authenticationTimeout: connectMs });
      this.#brokers.set(address, broker);
    }
    try {
      await broker.connect();
      return broker;
    } catch (error) {
      // One whose log-in failed is of no use any more.
      this.#brokers.delete(address);
      throw brokerError(error, address, "connecting");
    }
  }

  #pool(address: string): ConnectionPool {
    const { tls: secure, sasl, clientId, connectMs, readMs } = this.#settings;
    const [host = "", port = "9092"] = address.split(/:(?=\d+$)/);
    return new ConnectionPool({
      host,
      port: Number(port),
      ssl: secure,
      // kafkajs keeps its state in it.
      sasl: sasl && { ...sasl },
      clientId,
      connectionTimeout: connectMs,
      requestTimeout: readMs,
      enforceRequestTimeout: true,
      socketFactory: ({ host, port, onConnect }) => this.#socket(host, port, onConnect),
      logger: silent,
    });
  }

  #socket(host: string, port: number, onConnect: () => void): net.Socket {
    const { tls: secure } = this.#settings;
    const socket = secure
      ? tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...secure }, onConnect)
      : net.connect({ host, port }, onConnect);
    socket.setNoDelay(true).setKeepAlive(true, 60_000);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}
