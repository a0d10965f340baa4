export { type PluginOptions, type ServedPlugin, servePlugin } from "./serve.ts";
