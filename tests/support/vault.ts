import { goProgram } from "../../adapters/embedded/go-build.ts";
import { type CachedProgram, type FindOptions, findGoProgram } from "./go-program.ts";

const vault: CachedProgram = {
  // The version that deploy/services/vault/go.mod pins.
  version: "1.21.0",
  inGo: goProgram("vault", "vault", "github.com/hashicorp/vault", { tags: "minimal", takes: "five minutes" }),
  neededBy: "The tests of secrets",
};

export const findVault = (options?: FindOptions): Promise<string> => findGoProgram(vault, options);
