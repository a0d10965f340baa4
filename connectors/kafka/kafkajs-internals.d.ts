// What of kafkajs is used, of its inside: connections, log-in and the protocol of cluster and groups. See kafkajs.ts.

declare module "kafkajs/src/network/connectionPool.js" {
  import type { Socket } from "node:net";

  export interface Protocol<T> {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      readonly apiName: string;
      encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
    };
    readonly response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
    readonly requestTimeout?: number;
    readonly logResponseError?: boolean;
  }

  export default class ConnectionPool {
    readonly host: string;
    readonly port: number;
    constructor(options: {
      readonly host: string;
      readonly port: number;
      readonly ssl: object | null;
      readonly sasl: object | null;
      readonly clientId: string;
      readonly connectionTimeout: number;
      readonly requestTimeout: number;
      readonly enforceRequestTimeout: boolean;
      readonly socketFactory: (options: {
        readonly host: string;
        readonly port: number;
        readonly ssl: object | null;
        readonly onConnect: () => void;
      }) => Socket;
      readonly logger: unknown;
    });
    send<T>(protocol: Protocol<T>): Promise<T>;
  }
}

declare module "kafkajs/src/broker/index.js" {
  import type ConnectionPool from "kafkajs/src/network/connectionPool.js";

  interface Partition {
    readonly partition: number;
  }

  export default class Broker {
    readonly connectionPool: ConnectionPool;
    constructor(options: {
      readonly connectionPool: ConnectionPool;
      readonly logger: unknown;
      readonly authenticationTimeout: number;
    });
    isConnected(): boolean;
    connect(): Promise<void>;
    findGroupCoordinator(options: {
      readonly groupId: string;
      readonly coordinatorType: number;
    }): Promise<{ readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number } }>;
    joinGroup(options: {
      readonly groupId: string;
      readonly sessionTimeout: number;
      readonly rebalanceTimeout: number;
      readonly memberId: string;
      readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
    }): Promise<{
      readonly generationId: number;
      readonly leaderId: string;
      readonly memberId: string;
      readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
    }>;
    syncGroup(options: {
      readonly groupId: string;
      readonly generationId: number;
      readonly memberId: string;
      readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
    }): Promise<{ readonly memberAssignment: Buffer }>;
    heartbeat(options: {
      readonly groupId: string;
      readonly groupGenerationId: number;
      readonly memberId: string;
    }): Promise<unknown>;
    leaveGroup(options: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
    offsetFetch(options: {
      readonly groupId: string;
      readonly topics: readonly { readonly topic: string; readonly partitions: readonly Partition[] }[];
    }): Promise<{
      readonly responses: readonly {
        readonly topic: string;
        readonly partitions: readonly (Partition & { readonly offset: string; readonly metadata: string | null })[];
      }[];
    }>;
    offsetCommit(options: {
      readonly groupId: string;
      readonly groupGenerationId: number;
      readonly memberId: string;
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly (Partition & { readonly offset: string; readonly metadata: string })[];
      }[];
    }): Promise<unknown>;
    listOffsets(options: {
      readonly isolationLevel: number;
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly (Partition & { readonly timestamp: number })[];
      }[];
    }): Promise<{
      readonly responses: readonly {
        readonly topic: string;
        readonly partitions: readonly (Partition & { readonly offset: string })[];
      }[];
    }>;
    initProducerId(options: {
      readonly transactionTimeout: number;
    }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  }
}

declare module "kafkajs/src/protocol/requests/metadata/index.js" {
  import type { Protocol } from "kafkajs/src/network/connectionPool.js";

  export interface TopicMetadata {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly isInternal: boolean;
    readonly partitionMetadata: readonly {
      readonly partitionErrorCode: number;
      readonly partitionId: number;
      readonly leader: number;
    }[];
  }

  const requests: {
    protocol(options: { readonly version: number }): (options: {
      readonly topics: readonly string[];
      readonly allowAutoTopicCreation: boolean;
    }) => Protocol<{
      readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
      readonly topicMetadata: readonly TopicMetadata[];
    }>;
  };
  export default requests;
}

declare module "kafkajs/src/network/requestQueue/index.js" {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    constructor(options: {
      readonly requestTimeout: number;
      readonly clientId: string;
      readonly broker: string;
      readonly logger: { debug(message: string): void; warn(message: string): void };
    });
    push(request: {
      readonly entry: { readonly correlationId: number; resolve(): void; reject(): void };
      readonly expectResponse: boolean;
      sendRequest(): void;
    }): void;
    fulfillRequest(answer: { readonly correlationId: number; readonly payload: Buffer; readonly size: number }): void;
    /** Milliseconds. */
    maybeThrottle(ms: number): void;
    scheduleCheckPendingRequests(): void;
  }
}

declare module "kafkajs/src/loggers/index.js" {
  const loggers: { createLogger(options: { level: number; logCreator: () => () => void }): unknown };
  export default loggers;
}

declare module "kafkajs/src/protocol/error.js" {
  const errors: { createErrorFromCode(code: number): { readonly type: string; readonly message: string } };
  export default errors;
}
