export { lockDataDir } from "./data-dir.ts";
export { startNats } from "./nats.ts";
export { freePort } from "./ports.ts";
export { startPostgres } from "./postgres.ts";
export type { ServerHandle } from "./supervised-server.ts";
