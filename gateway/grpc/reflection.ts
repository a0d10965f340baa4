import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { fileDescriptors } from "./schema.ts";

/** grpc.reflection.v1 and v1alpha: what is served, for grpcurl and its like. Asked without a token, as the API is no secret. */
export function addReflection(server: Server): void {
  const fileDescriptorProtos = [...fileDescriptors];
  new ReflectionService({ files: { format: "", type: {}, fileDescriptorProtos } } as never).addToServer(server);
}
