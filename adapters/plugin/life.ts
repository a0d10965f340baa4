import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import type { Logger } from "../../runtime/ports/logger.ts";

export interface PluginCommand {
  /** Program and arguments. No shell reads them. */
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Added to what little of the environment it gets (`inherited`). */
  readonly env?: Readonly<Record<string, string>>;
  /** Of memory; beyond it is killed. */
  readonly memoryBytes?: number;
  /** It is killed once it has said nothing, on any call, for so long, asked for its health; left out: 30 s. */
  readonly silentMs?: number;
}

export interface PluginAddress {
  /** `unix:PATH` or `HOST:PORT`. */
  readonly address: string;
  /** PEM. Left out: neither side shows a certificate. */
  readonly tls?: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    /** In the plugin's certificate; left out: the address' host. */
    readonly serverName?: string;
  };
}

export type PluginTarget = PluginCommand | PluginAddress;

/** One life of a plugin: from its first answer until it ends or cannot be reached any more. */
export interface PluginLife {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  /** How it ended. */
  readonly exited: Promise<string>;
  /** Of a child. */
  readonly pid: number | undefined;
  /** It has just sent something: it does not hang. */
  heard?(): void;
  stop(): Promise<void>;
}

export interface LifeOptions<T extends PluginTarget = PluginTarget> {
  readonly name: string;
  readonly plugin: T;
  readonly logger: Logger;
  /** A line that it wrote, without what is secret. */
  readonly redact?: ((line: string) => string) | undefined;
}
