import { goProgram } from "../../adapters/embedded/go-build.ts";
import { type CachedProgram, type FindOptions, findGoProgram } from "./go-program.ts";

const grpcurl: CachedProgram = {
  // The version that deploy/services/grpcurl/go.mod pins.
  version: "1.9.3",
  inGo: goProgram("grpcurl", "grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl", { takes: "a minute" }),
  neededBy: "The tests of gRPC",
};

export const findGrpcurl = (options?: FindOptions): Promise<string> => findGoProgram(grpcurl, options);
