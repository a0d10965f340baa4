export { type ClusterOptions, joinCluster } from "./cluster.ts";
export { ConsumerMissingError, LogBehindError, LogMissingError } from "./errors.ts";
export { connectNats, type NatsLink, type NatsOptions } from "./link.ts";
export { connectLogs, type JetStreamLogs, type LogsOptions } from "./logs.ts";
export { connectOwners } from "./owners.ts";
