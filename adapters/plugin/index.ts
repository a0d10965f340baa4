export { Plugin, type PluginOptions } from "./plugin.ts";
export { type PluginCommand, PluginProcess } from "./plugin-process.ts";
export { connect, type PluginClient, pluginType, specOf } from "./plugin-type.ts";
