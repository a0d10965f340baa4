import type { ConnectorError, ErrorCode, Expressions, Json, WriteFailure } from "../sdk/index.ts";
import { compiled, parseExact, sentence, settingError, textOf } from "../sdk/index.ts";
import type { ResultsConfig } from "./config.ts";
import { cut, meaningOf } from "./errors.ts";
import type { Redact } from "./redact.ts";

type Path = (value: Json) => Json | undefined;

const defaultOk = ["ok", "success", "created", "updated"];

/** What an answer says of each record of a batch. */
export class Results {
  readonly #at: string;
  readonly #path: Path;
  readonly #status: Path | undefined;
  readonly #message: Path | undefined;
  readonly #index: Path | undefined;
  readonly #ok: ReadonlySet<string>;
  readonly #onlyFailures: boolean;
  readonly #redact: Redact;

  constructor(config: ResultsConfig, expressions: Expressions, at: string, redact: Redact) {
    const path = (text: string | undefined, name: string) =>
      text === undefined ? undefined : compiled(`${at}.${name}`, () => expressions.path(text));
    this.#at = at;
    this.#path = path(config.path ?? "$", "path") as Path;
    this.#status = path(config.status, "status");
    this.#message = path(config.message, "message");
    this.#index = path(config.index, "index");
    this.#ok = new Set((config.ok ?? defaultOk).map((word) => word.toLowerCase()));
    this.#onlyFailures = config.only_failures ?? false;
    this.#redact = redact;
    if (this.#onlyFailures && !this.#index) {
      throw settingError("VALIDATION_ERROR", `${at}.index is needed with only_failures`, `${at}.index`);
    }
    if (!this.#onlyFailures && !this.#status) {
      throw settingError("VALIDATION_ERROR", `${at}.status is needed to tell what was taken`, `${at}.status`);
    }
  }

  /** The records that were not taken, by index. `isRepeatable`: a conflict says that it was done before. */
  failuresIn(text: string, records: number, isRepeatable: boolean): WriteFailure[] {
    const found = this.#path(parsedAnswer(text, this.#at));
    if (found === undefined) throw this.#misfit("there is nothing");
    const all = found === null ? [] : Array.isArray(found) ? found : [found];
    if (!this.#index && all.length !== records) {
      throw this.#misfit(`there are ${all.length} results for ${records} records, and no path to an index`);
    }
    /** By record: of several things that are wrong with one, the first. */
    const failures = new Map<number, WriteFailure>();
    const told = new Set<number>();
    for (const [place, result] of all.entries()) {
      const index = this.#index ? Number(this.#index(result) ?? Number.NaN) : place;
      if (!Number.isInteger(index) || index < 0 || index >= records)
        throw this.#misfit("a result has no record's index");
      told.add(index);
      const code = this.#codeOf(result, isRepeatable);
      if (code !== undefined && !failures.has(index)) {
        failures.set(index, { index, code, message: this.#messageOf(result, code) });
      }
    }
    if (!this.#onlyFailures && told.size !== records) {
      throw this.#misfit(`${told.size} of ${records} records have a result`);
    }
    return [...failures.values()];
  }

  /** Undefined: it was taken. */
  #codeOf(result: Json, isRepeatable: boolean): ErrorCode | undefined {
    const status = this.#status?.(result);
    if (status === undefined || status === null) {
      if (this.#onlyFailures) return "VALIDATION_ERROR";
      throw this.#misfit("a result has no status");
    }
    if (status === true) return undefined;
    const text = textOf(status);
    if (this.#ok.has(text.toLowerCase())) return undefined;
    const number = Number(text);
    if (!Number.isInteger(number) || number < 100 || number > 599) return "VALIDATION_ERROR";
    if (number < 300 || (number === 409 && isRepeatable)) return undefined;
    return meaningOf(number)[0];
  }

  #messageOf(result: Json, code: ErrorCode): string {
    const message = this.#message?.(result);
    const text = message === undefined || message === null ? `the far side says ${code}` : textOf(message);
    return sentence(cut(text, this.#redact));
  }

  /** The request was carried out, and what became of the records cannot be told: that is the setting's fault. */
  #misfit(what: string): ConnectorError {
    return settingError(
      "VALIDATION_ERROR",
      `${this.#at}: the answer does not say what became of each record: ${what}`,
      this.#at,
    );
  }
}

function parsedAnswer(text: string, at: string): Json {
  try {
    return parseExact(text);
  } catch {
    throw settingError("VALIDATION_ERROR", `${at}: the answer is no JSON, so that it has no results`, at);
  }
}
