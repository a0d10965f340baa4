import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureVersion } from "node:tls";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import type { Logger } from "../../runtime/ports/logger.ts";

/** Files in PEM. */
export interface TlsSettings {
  /** The server's certificate, and those between it and its authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of clients: whoever has no certificate of theirs is not answered. Undefined: no client needs one. */
  readonly clientCaFile: string | undefined;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** What a TLS server is made of; Node's servers and gRPC's take it as it is. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  readonly minVersion: SecureVersion;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

const lookMs = 10_000;

/** Certificate and key of this node's servers, read again when their files change. */
export class ServerTls {
  readonly #settings: TlsSettings;
  readonly #logger: Logger;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  readonly #timer: NodeJS.Timeout;
  #material: TlsMaterial;
  /** Why the files that are there now are not used, told once. */
  #fault: string | undefined;

  private constructor(settings: TlsSettings, logger: Logger, material: TlsMaterial, everyMs: number) {
    this.#settings = settings;
    this.#logger = logger;
    this.#material = material;
    this.#timer = setInterval(() => void this.look(), everyMs);
    this.#timer.unref();
  }

  /** Throws VALIDATION_ERROR that says what is wrong with which file. */
  static async open(settings: TlsSettings, logger: Logger, everyMs: number = lookMs): Promise<ServerTls> {
    return new ServerTls(settings, logger, await read(settings), everyMs);
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Told of each other certificate or key from now on. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  /** What is half written, or no pair, is left until it is one: the server goes on with what it has. */
  async look(): Promise<void> {
    try {
      const material = await read(this.#settings);
      this.#fault = undefined;
      if (isSame(material, this.#material)) return;
      this.#material = material;
      for (const listener of this.#listeners) listener(material);
      const { validTo } = new X509Certificate(material.cert);
      this.#logger.info({ valid_to: validTo }, "the certificate was changed, and is used from now on");
    } catch (error) {
      const fault = messageOf(error);
      if (fault !== this.#fault) this.#logger.warn({ reason: fault }, "the changed certificate cannot be used");
      this.#fault = fault;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/**
 * The name under which a server on this host is to be called: the host where the certificate is good for it, else
 * localhost, else the first name that the certificate has.
 */
export function nameFor(host: string, cert: Buffer): string {
  const certificate = new X509Certificate(cert);
  if (certificate.checkIP(host.replaceAll(/[[\]]/g, "")) ?? certificate.checkHost(host)) return host;
  if (certificate.checkHost("localhost")) return "localhost";
  return /(?:^|, )DNS:([^,*"]+)(?:,|$)/.exec(certificate.subjectAltName ?? "")?.[1] ?? host;
}

async function read(settings: TlsSettings): Promise<TlsMaterial> {
  const { certFile, keyFile, clientCaFile, minVersion } = settings;
  const [cert, key, ca] = await Promise.all([
    pem("SLUICE_TLS_CERT", certFile),
    pem("SLUICE_TLS_KEY", keyFile),
    clientCaFile === undefined ? undefined : pem("SLUICE_TLS_CLIENT_CA", clientCaFile),
  ]);
  const material = { cert, key, ca, minVersion, requestCert: ca !== undefined, rejectUnauthorized: ca !== undefined };
  try {
    createSecureContext(material);
  } catch (error) {
    // OpenSSL's words, which quote nothing of the files.
    const what = `SLUICE_TLS_CERT and SLUICE_TLS_KEY are no certificate and its key (${messageOf(error)})`;
    throw new SluiceError("VALIDATION_ERROR", what, [], error);
  }
  return material;
}

async function pem(setting: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new SluiceError("VALIDATION_ERROR", `${setting} cannot be read: ${messageOf(error)}`, [], error);
  }
}

function isSame(a: TlsMaterial, b: TlsMaterial): boolean {
  const ca = a.ca === undefined || b.ca === undefined ? a.ca === b.ca : a.ca.equals(b.ca);
  return ca && a.cert.equals(b.cert) && a.key.equals(b.key);
}
