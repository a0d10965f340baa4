export { type KeyProvider, localKey, type WrappedKey } from "./key-provider.ts";
export { loadMasterKey } from "./master-key.ts";
export { type ReferenceOptions, referenceResolver } from "./reference-resolver.ts";
export { createSealer } from "./sealer.ts";
