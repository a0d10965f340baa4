export { lockDataDir } from "./data-dir.ts";
export { type NatsOptions, startNats } from "./nats.ts";
export { exitWithParent } from "./parent.ts";
export type { PidLock } from "./pid-lock.ts";
export { freePort } from "./ports.ts";
export { type PostgresOptions, startPostgres } from "./postgres.ts";
export type { ServerHandle, ServerStatus } from "./supervised-server.ts";
