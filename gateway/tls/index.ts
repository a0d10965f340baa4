export { nameFor, ServerTls, type TlsMaterial, type TlsSettings } from "./server-tls.ts";
