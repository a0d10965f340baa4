export { Api, type ApiAnswer, type ApiOptions } from "./api.ts";
export type { AuthOptions } from "./api-auth.ts";
export { type ApiSourceDefinition, type ApiStream, apiSource } from "./api-source.ts";
export { linkTo } from "./link.ts";
export type { Paging } from "./paging.ts";
