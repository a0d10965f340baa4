import { SluiceError } from "../../runtime/errors/index.ts";
import type { Sealer } from "../../runtime/ports/connectors.ts";

/** That a vault refuses sluice, or lacks something, is not the caller's lack of rights, nor of what the caller asked for. */
export function withoutRefusals(sealer: Sealer): Sealer {
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      if (!(error instanceof SluiceError) || !refusals.has(error.code)) throw error;
      throw new SluiceError("UNAVAILABLE", error.message, error.errors, error);
    });
  const { renewKey } = sealer;
  return {
    provider: sealer.provider,
    current: () => told(sealer.current()),
    keyVersion: (sealed) => sealer.keyVersion(sealed),
    seal: (id, secrets) => told(sealer.seal(id, secrets)),
    unseal: (id, sealed) => told(sealer.unseal(id, sealed)),
    rewrap: (id, sealed) => told(sealer.rewrap(id, sealed)),
    ...(renewKey && { renewKey: () => told(renewKey()) }),
  };
}

const refusals: ReadonlySet<string> = new Set(["UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"]);
