import { connectivityState } from "@grpc/grpc-js";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { connect, specOf } from "./grpc.ts";
import type { LifeOptions, PluginAddress, PluginLife } from "./life.ts";

/** A plugin that runs elsewhere, for as long as the connection holds: behind the next one may be another version. */
export class PluginConnection implements PluginLife {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  readonly exited: Promise<string>;
  readonly pid = undefined;
  readonly #end: (how: string) => void;

  private constructor(client: ConnectorServiceClient, spec: SpecResponse) {
    this.client = client;
    this.spec = spec;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.exited = promise;
    this.#end = resolve;
    const channel = client.getChannel();
    const watch = () => {
      const state = channel.getConnectivityState(false);
      if (state !== connectivityState.READY) return resolve("connection lost");
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, watch);
    };
    watch();
  }

  static async open({ name, plugin }: LifeOptions<PluginAddress>): Promise<PluginConnection> {
    const client = connect(plugin);
    try {
      return new PluginConnection(client, await specOf(client, name));
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#end("the connection was closed");
    this.client.close();
  }
}
