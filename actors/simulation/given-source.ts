import type { Source, SourceOptions } from "../../connectors/sdk/index.ts";
import { type CallScript, errorOf } from "./fault-script.ts";
import type { Life } from "./life.ts";

export interface GivenSource {
  /** JSON texts, without LF. */
  readonly texts: readonly string[];
  /** Records of a batch. */
  readonly batch: number;
  readonly reads: CallScript;
}

/** A source that gives the test's records; its cursor is how many it has given. */
export function openGiven(
  { texts, batch, reads }: GivenSource,
  { stream, from }: Pick<SourceOptions, "stream" | "from">,
  life: Life,
): Source {
  async function* read() {
    for (let at = typeof from === "number" ? from : 0; at < texts.length; ) {
      await life.delay();
      const fault = reads.next();
      if (fault) throw errorOf(fault);
      const next = texts.slice(at, at + batch);
      const position = { base: stream, offset: at + 1 };
      at += next.length;
      yield { data: Buffer.from(next.join("\n")), count: next.length, cursor: at, position };
    }
  }
  return { read, close: async () => {} };
}
