import { expect, test } from "vitest";
import { NotReadyError, SluiceError } from "../../runtime/errors/index.ts";
import type { Sealer } from "../../runtime/ports/connectors.ts";
import { withoutRefusals } from "./without-refusals.ts";

test("what a vault refuses sluice is no refusal of the caller, whatever is asked of it", async () => {
  const sealerThat = (error: Error): Sealer => {
    const fail = async () => {
      throw error;
    };
    return {
      provider: "x",
      current: fail,
      keyVersion: () => "1",
      seal: fail,
      unseal: fail,
      rewrap: fail,
      renewKey: fail,
    };
  };
  for (const code of ["UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"] as const) {
    const { current, seal, unseal, rewrap, renewKey } = withoutRefusals(
      sealerThat(new SluiceError(code, "Vault says no")),
    );
    const bytes = new Uint8Array();
    for (const work of [current(), seal("a", {}), unseal("a", bytes), rewrap("a", bytes), renewKey?.()])
      await expect(work).rejects.toMatchObject({ code: "UNAVAILABLE", message: "Vault says no" });
  }
  for (const error of [new NotReadyError("away"), new SluiceError("INTERNAL_ERROR", "x"), new TypeError("y")])
    await expect(withoutRefusals(sealerThat(error)).seal("a", {})).rejects.toBe(error);
});
