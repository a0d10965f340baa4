import { NotReadyError, SluiceError } from "../../../runtime/errors/index.ts";
import type { Clock } from "../../../runtime/ports/clock.ts";
import type { VaultAnswer } from "./client.ts";
import type { VaultSession } from "./session.ts";
import type { VaultSettings } from "./settings.ts";

export interface VaultReaderOptions {
  readonly settings: Pick<VaultSettings, "paths">;
  readonly session: Pick<VaultSession, "call">;
  readonly clock: Clock;
}

interface Lease {
  readonly id: string;
  readonly renewable: boolean;
  /** As it was granted first. */
  readonly ms: number;
}

interface Known {
  readonly values: Readonly<Record<string, unknown>>;
  readonly lease: Lease | undefined;
  /** From then on it is renewed, or read again. */
  freshUntil: number;
  /** So long it may be used while Vault is away. */
  usableUntil: number;
}

interface Mount {
  readonly path: string;
  /** 0: no key-value store, its paths are read as they are. */
  readonly version: 0 | 1 | 2;
}

/** Of a lease, after how much it is renewed. */
const renewAfter = 2 / 3;
/** Several references of a connector are one read; whoever opens one later gets what is there then. */
const freshMs = 2_000;
/** A value without a lease has no end: this long it stands in for a Vault that is away. */
const keepMs = 24 * 60 * 60_000;
const retryMs = 5_000;
const mountMs = 10 * 60_000;

/** What references to Vault stand for. Keeps what it read, so that a Vault that is away for a while stops nothing. */
export class VaultReader {
  readonly #options: VaultReaderOptions;
  readonly #known = new Map<string, Known>();
  readonly #reading = new Map<string, Promise<Known>>();
  readonly #mounts = new Map<string, { readonly mount: Mount; readonly until: number }>();

  constructor(options: VaultReaderOptions) {
    this.#options = options;
  }

  /** A value as text. Throws SluiceError with what is wrong, NotReadyError where Vault is away and nothing is known. */
  async read(path: string, key: string): Promise<string> {
    this.#refuseOthers(path);
    const { values } = await this.#at(path);
    const value = Object.hasOwn(values, key) ? values[key] : undefined;
    if (value === undefined || value === null) {
      throw new SluiceError("VALIDATION_ERROR", `resolves to nothing: what Vault has at ${path} has no ${key}`);
    }
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  /**
   * Who may write a configuration may read, by a connector of their own, whatever a reference resolves to. So references
   * reach what this node is told to offer, not all that its token may read.
   */
  #refuseOthers(path: string): void {
    const { paths } = this.#options.settings;
    const segments = path.split("/");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    if (segments.some((segment) => /^\.{0,2}$|[\u0000-\u001f%?\\]/.test(segment))) {
      throw new SluiceError("VALIDATION_ERROR", "is refused: the path has empty parts, dots or odd characters");
    }
    if (paths.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return;
    const only = paths.map((prefix) => `${prefix}/`).join(", ");
    throw new SluiceError(
      "VALIDATION_ERROR",
      `is refused: only what is below ${only} can be named (SLUICE_VAULT_PATHS)`,
    );
  }

  #at(path: string): Promise<Known> {
    const known = this.#known.get(path);
    if (known && this.#options.clock.now() < known.freshUntil) return Promise.resolve(known);
    let reading = this.#reading.get(path);
    if (!reading) {
      reading = this.#refresh(path, known).finally(() => this.#reading.delete(path));
      this.#reading.set(path, reading);
    }
    return reading;
  }

  async #refresh(path: string, known: Known | undefined): Promise<Known> {
    const { clock } = this.#options;
    try {
      if (known && (await this.#renew(known))) return known;
      const read = await this.#fetch(path);
      this.#known.set(path, read);
      return read;
    } catch (error) {
      if (error instanceof NotReadyError && known && clock.now() < known.usableUntil) {
        known.freshUntil = Math.min(clock.now() + retryMs, known.usableUntil);
        return known;
      }
      if (!(error instanceof NotReadyError)) this.#known.delete(path);
      throw error;
    }
  }

  /** False where the secret has to be read anew: it has no lease, or Vault lets it end. */
  async #renew(known: Known): Promise<boolean> {
    const { session, clock } = this.#options;
    const { lease, usableUntil } = known;
    if (!lease?.renewable || clock.now() >= usableUntil) return false;
    const answer = await session.call("POST", "sys/leases/renew", { lease_id: lease.id }).catch((error: unknown) => {
      if (error instanceof NotReadyError) throw error;
      return undefined;
    });
    const ms = (answer?.lease_duration ?? 0) * 1000;
    if (ms < lease.ms / 2) return false;
    known.freshUntil = clock.now() + ms * renewAfter;
    known.usableUntil = clock.now() + ms;
    return true;
  }

  async #fetch(path: string): Promise<Known> {
    const { session, clock } = this.#options;
    const mount = await this.#mount(path);
    const rest = path.slice(mount.path.length);
    const answer = await session.call("GET", mount.version === 2 ? `${mount.path}data/${rest}` : path);
    const values: unknown = mount.version === 2 ? answer?.data?.data : answer?.data;
    if (typeof values !== "object" || values === null) {
      const hint = /^(data|metadata)\//.test(rest)
        ? ` (paths are those of \`vault kv get\`, without ${rest.split("/")[0]}/)`
        : "";
      throw new SluiceError("NOT_FOUND", `resolves to nothing: Vault has nothing at ${path}${hint}`);
    }
    const now = clock.now();
    const ms = (answer?.lease_duration ?? 0) * 1000;
    const lease = answer?.lease_id ? { id: answer.lease_id, renewable: answer.renewable === true, ms } : undefined;
    const freshFor = lease ? ms * renewAfter : freshMs;
    return {
      values: values as Known["values"],
      lease,
      freshUntil: now + freshFor,
      usableUntil: now + (lease ? ms : keepMs),
    };
  }

  /** Which engine serves a path, as Vault's own command line asks. */
  async #mount(path: string): Promise<Mount> {
    const { session, clock } = this.#options;
    const now = clock.now();
    for (const { mount, until } of this.#mounts.values()) {
      if (path.startsWith(mount.path) && now < until) return mount;
    }
    const answer: VaultAnswer | undefined = await session
      .call("GET", `sys/internal/ui/mounts/${path}`)
      .catch((error: unknown) => {
        if (!(error instanceof SluiceError) || error.code !== "FORBIDDEN") throw error;
        // It does not tell the one from the other.
        throw new SluiceError("FORBIDDEN", `Vault denies access to ${path}, or has no such mount`);
      });
    const {
      path: at,
      type,
      options,
    } = (answer?.data ?? {}) as {
      path?: string;
      type?: string;
      options?: { version?: string } | null;
    };
    if (at === undefined) throw new SluiceError("NOT_FOUND", `resolves to nothing: Vault has nothing at ${path}`);
    const version = type !== "kv" && type !== "generic" ? 0 : options?.version === "2" ? 2 : 1;
    const mount: Mount = { path: at, version };
    this.#mounts.set(at, { mount, until: now + mountMs });
    return mount;
  }
}
