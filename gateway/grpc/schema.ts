import { createFileRegistry, type DescMessage, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptors } from "../../proto/gen/descriptors.ts";

const files = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, "base64"));
const registry = createFileRegistry(files);

/** The .proto files of what a node serves, encoded, for reflection. */
export const fileDescriptors: readonly Buffer[] = files.file.map((file) =>
  Buffer.from(toBinary(FileDescriptorProtoSchema, file)),
);

/** The control API as its .proto file says it. */
export const controlService: DescService = registry.getService("sluice.control.v1.ControlService")!;

export const isWellKnown = ({ typeName }: DescMessage): boolean => typeName.startsWith("google.protobuf.");
