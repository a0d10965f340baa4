export { openStore, type PostgresStore, type StoreOptions } from "./open-store.ts";
