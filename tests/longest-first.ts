import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take minutes; what is not named goes after them, as vitest has it: large files first. */
const longest = ["tests/chaos/kill-", "tests/chaos/suite/", "tests/chaos/", "tests/e2e/"];

/** So that no worker is left with minutes of work when the other one has none. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId);
      const at = longest.findIndex((start) => path.startsWith(start));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
