export { type KeyProvider, keyring, localKeys, type WrappedKey } from "./key-provider.ts";
export { masterKeys } from "./master-key.ts";
export { type ReferenceOptions, referenceResolver } from "./reference-resolver.ts";
export { ReferenceWatch } from "./reference-watch.ts";
export { createSealer } from "./sealer.ts";
export { connectVault, type Vault } from "./vault/vault.ts";
