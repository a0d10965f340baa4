export { createGrpc, type Grpc, type GrpcOptions } from "./server.ts";
