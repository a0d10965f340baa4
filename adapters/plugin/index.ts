export { connect, specOf } from "./grpc.ts";
export type { PluginAddress, PluginCommand } from "./life.ts";
export { Plugin, type PluginOptions } from "./plugin.ts";
export { PluginHost, type PluginHostOptions } from "./plugin-host.ts";
export { PluginProcess } from "./plugin-process.ts";
export { tryPlugin } from "./plugin-target.ts";
export { describe, type PluginClient, pluginType } from "./plugin-type.ts";
