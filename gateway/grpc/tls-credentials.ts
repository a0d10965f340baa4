import { ServerCredentials } from "@grpc/grpc-js";
import type { ServerTls, TlsMaterial } from "../tls/index.ts";

/** The certificate of this node's servers, and the next one as soon as there is one. */
export class TlsCredentials extends ServerCredentials {
  constructor(tls: ServerTls) {
    const { requestCert, rejectUnauthorized } = tls.material;
    super({ requestCert, rejectUnauthorized }, contextOf(tls.material));
    tls.onChange((material) => this.updateSecureContextOptions(contextOf(material)));
  }

  _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

function contextOf({ cert, key, ca, minVersion }: TlsMaterial) {
  return { cert, key, minVersion, ...(ca && { ca }) };
}
