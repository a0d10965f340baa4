export { Plugin, type PluginOptions } from "./plugin.ts";
export type { PluginCommand } from "./plugin-process.ts";
