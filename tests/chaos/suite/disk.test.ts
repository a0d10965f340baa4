import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { disk } from "./disk.ts";
import { testInShortForm } from "./short-form.ts";
import { inNamespace, needsNamespace } from "./small-disk.ts";

if (needsNamespace()) {
  test("disks fill up, in a namespace where this user may mount them", { timeout: 600_000 }, async () => {
    const vitest = fileURLToPath(new URL("../../../node_modules/vitest/vitest.mjs", import.meta.url));
    const here = fileURLToPath(import.meta.url);
    expect(await inNamespace([vitest, "run", "--project=integration", here])).toBe(0);
  });
} else testInShortForm(disk);
