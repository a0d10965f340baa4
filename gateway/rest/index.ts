export { createRest, type RestOptions } from "./server.ts";
