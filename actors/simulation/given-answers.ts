import type { Json, LookupFailure } from "../../connectors/sdk/index.ts";
import type { Lookup } from "../../runtime/ports/lookups.ts";
import { isLike, type LookupAnswer } from "../../runtime/testing/index.ts";
import { messageOfFault, retryAfter } from "./fault-script.ts";

/** The answers that a test gives instead of a connector. */
export class GivenAnswers {
  readonly #connector: string;
  readonly #answers: readonly (LookupAnswer & { readonly path: string; left: number; asked: boolean })[];
  readonly #strange = new Set<string>();

  constructor(connector: string, answers: readonly LookupAnswer[] = []) {
    this.#connector = connector;
    this.#answers = answers.map((answer, index) => {
      const left = answer.fail ? (answer.fail.times ?? 1) : Number.POSITIVE_INFINITY;
      return { ...answer, path: `lookups.${connector}[${index}]`, left, asked: false };
    });
  }

  open(): Lookup {
    return {
      connectorType: this.#connector,
      resolve: async (text) => text,
      lookup: async (requests) => {
        const failed: LookupFailure[] = [];
        const answers = requests.map((request, index) => this.#answer(request, index, failed));
        return { answers, failed };
      },
      close: async () => {},
    };
  }

  #answer(request: Json, index: number, failed: LookupFailure[]): Json | null {
    const given = this.#answers.find((each) => each.left > 0 && isLike(each.request, request));
    if (given === undefined) {
      this.#strange.add(JSON.stringify(request));
      failed.push({ index, code: "NOT_FOUND", message: `the test has no answer to ${JSON.stringify(request)}` });
      return null;
    }
    given.left--;
    given.asked = true;
    if (!given.fail) return given.answer ?? null;
    const { code, message, retry_after } = given.fail;
    failed.push({ index, code, message: messageOfFault(code, message), ...retryAfter(retry_after) });
    return null;
  }

  /** What the test says nothing of. */
  get unanswered(): string[] {
    return Array.from(this.#strange, (request) => `lookups.${this.#connector} has no answer to ${request}`);
  }

  get unused(): string[] {
    return this.#answers.flatMap(({ path, asked }) => (asked ? [] : [path]));
  }
}
