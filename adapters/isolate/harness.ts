/** What a batch's lines carry, see `RequestHead`. */
export const sends = { record: 1, meta: 2, value: 4 } as const;

type Evaluate = (...args: unknown[]) => unknown;

export interface Harness {
  /**
   * Calls a function for each of `count` lines of JSON arrays, and gives a line for each: `v` and JSON text, `u` for
   * nothing, `e` and a message as a JSON string. It stops early when there is much to give.
   */
  run(evaluate: Evaluate, kind: string, sent: number, text: string, count: number): string;
  /** What `run` had when its time ran out. */
  take(): string;
}

/**
 * Runs inside of every isolate, from its own source text: it may use nothing from outside. It comes before any user's
 * code and keeps what it needs of the built-ins; afterwards it touches nothing that such code could have changed: no
 * methods of prototypes, no iteration, no objects whose members might be inherited setters. All of it is strict, so no
 * function of it can be had from a stack either.
 *
 * `progress` is shared with the sandbox's process: how many calls of this entry are done, and since when (Unix
 * milliseconds) the next one runs. No user's code can reach it.
 */
export function harness(progress: Float64Array, maxResult: number, maxAnswer: number): Harness {
  const { parse, stringify, isRawJSON } = JSON as unknown as {
    parse(text: string): unknown;
    stringify(value: unknown): string;
    isRawJSON(value: unknown): boolean;
  };
  const { now } = Date;
  const { isArray } = Array;
  const { keys, getPrototypeOf } = Object;
  const objectPrototype = Object.prototype;
  const call = Function.prototype.call;
  const uncurry = Function.prototype.bind.bind(call as () => void) as unknown as (
    method: unknown,
  ) => (self: unknown, ...args: unknown[]) => unknown;
  const indexOf = uncurry(String.prototype.indexOf) as (text: string, part: string, from: number) => number;
  const slice = uncurry(String.prototype.slice) as (text: string, from: number, to: number) => string;
  const codeOf = uncurry(String.prototype.charCodeAt) as (text: string, at: number) => number;
  const timeOf = uncurry(Date.prototype.getTime) as (date: unknown) => number;
  const isoOf = uncurry(Date.prototype.toISOString) as (date: unknown) => string;
  const tagOf = uncurry(Object.prototype.toString) as (value: unknown) => string;
  const inheritsFrom = uncurry(Object.prototype.isPrototypeOf) as (prototype: object, value: unknown) => boolean;
  const numberOf = uncurry(Number.prototype.valueOf) as (value: unknown) => number;
  const textOf = uncurry(String.prototype.valueOf) as (value: unknown) => string;
  const truthOf = uncurry(Boolean.prototype.valueOf) as (value: unknown) => boolean;
  const bigTextOf = uncurry(BigInt.prototype.toString) as (value: bigint) => string;
  const promisePrototype = Promise.prototype;
  const String_ = String;

  // Memory that no limit counts, code that runs at a time of its own, and threads: nothing that a script needs.
  const NativeBuffer = ArrayBuffer;
  const Fixed = function (length: number): ArrayBuffer {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    return Reflect.construct(NativeBuffer, [length], new.target) as ArrayBuffer;
  };
  const world = globalThis as unknown as Record<string, unknown>;
  Object.defineProperty(Fixed, "prototype", { value: NativeBuffer.prototype, writable: false });
  Object.defineProperty(Fixed, "name", { value: "ArrayBuffer", configurable: true });
  Object.defineProperty(Fixed, "isView", { value: NativeBuffer.isView, configurable: true, writable: true });
  Object.defineProperty(NativeBuffer.prototype, "constructor", { value: Fixed, configurable: true, writable: true });
  Object.defineProperty(world, "ArrayBuffer", { value: Fixed, configurable: true, writable: true });
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "FinalizationRegistry", "WeakRef"]) {
    delete world[name];
  }

  interface Ancestor {
    readonly value: unknown;
    readonly above: Ancestor | undefined;
  }

  let answer = "";
  /** Identifies what the harness itself throws: user's code never gets it. */
  const refusal = { __proto__: null };
  let reason = "";
  let room = 0;

  const tooLarge = `the result is larger than ${maxResult} characters`;

  function refuse(why: string): never {
    reason = why;
    throw refusal;
  }

  function sized(text: string): string {
    room -= text.length + 1;
    if (room < 0) refuse(tooLarge);
    return text;
  }

  function write(value: unknown, above: Ancestor | undefined, depth: number): string {
    switch (typeof value) {
      case "string":
        if (value.length > room) refuse(tooLarge);
        return sized(stringify(value));
      case "number":
        if (value - value !== 0) refuse(`${String_(value)} is no JSON`);
        return sized(value === 0 ? "0" : stringify(value));
      case "boolean":
        return value ? sized("true") : sized("false");
      case "bigint":
        return sized(bigTextOf(value));
      case "undefined":
        return sized("null");
      case "function":
        return refuse("a function is no JSON");
      case "symbol":
        return refuse("a symbol is no JSON");
      default:
        return value === null ? sized("null") : writeObject(value as object, above, depth);
    }
  }

  function writeObject(value: object, above: Ancestor | undefined, depth: number): string {
    for (let one = above; one !== undefined; one = one.above) {
      if (one.value === value) refuse("the result refers to itself");
    }
    if (depth > 1000) refuse("the result is nested deeper than 1000 levels");
    const here: Ancestor = { value, above };
    if (isArray(value)) {
      if (value.length > room / 2) refuse(tooLarge); // a character and a comma each, at the least
      let text = "[";
      for (let i = 0; i < value.length; i++) text += (i === 0 ? "" : ",") + write(value[i], here, depth + 1);
      return `${text}]`;
    }
    if (getPrototypeOf(value) !== objectPrototype) {
      const special = writeSpecial(value);
      if (special !== undefined) return sized(special);
    }
    const names = keys(value);
    let text = "{";
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const member = (value as Record<string, unknown>)[name];
      if (member === undefined) continue;
      text += `${(text === "{" ? "" : ",") + sized(stringify(name))}:${write(member, here, depth + 1)}`;
    }
    return `${text}}`;
  }

  /** Undefined for what is written by its members: a class of the user's, an object without a prototype. */
  function writeSpecial(value: object): string | undefined {
    if (isRawJSON(value)) return stringify(value);
    if (inheritsFrom(promisePrototype, value)) refuse("a promise is no JSON; scripts are synchronous");
    const tag = tagOf(value);
    switch (tag) {
      case "[object Object]":
      case "[object Arguments]":
        return undefined;
      case "[object Date]": {
        const time = timeOf(value);
        if (time - time !== 0) refuse("an invalid date is no JSON");
        const text = isoOf(value);
        // RFC 3339 knows years of four digits only.
        return text.length === 24 ? stringify(text) : refuse("a date outside of the years 0000 to 9999 is no JSON");
      }
      case "[object Number]":
        return write(numberOf(value), undefined, 0);
      case "[object String]":
        return stringify(textOf(value));
      case "[object Boolean]":
        return truthOf(value) ? "true" : "false";
      default:
        return refuse(`a value of type ${slice(tag, 8, tag.length - 1)} is no JSON`);
    }
  }

  function isRecord(value: unknown): boolean {
    if (typeof value !== "object" || value === null || isArray(value)) return false;
    return getPrototypeOf(value) === objectPrototype || (!isRawJSON(value) && tagOf(value) === "[object Object]");
  }

  function convert(result: unknown, kind: string): string {
    room = maxResult;
    if (kind === "predicate") {
      if (typeof result === "object" && result !== null && inheritsFrom(promisePrototype, result)) {
        refuse("a promise is no answer; scripts are synchronous");
      }
      return result ? "vtrue" : "vfalse";
    }
    if (result === undefined) return "u";
    if (kind === "function") {
      if (result === null) return "u";
      if (isArray(result)) {
        if (result.length > room / 2) refuse(tooLarge);
        let text = "v[";
        const here: Ancestor = { value: result, above: undefined };
        for (let i = 0; i < result.length; i++) {
          const element: unknown = result[i];
          text += (i === 0 ? "" : ",") + writeRecord(element, here);
        }
        return `${text}]`;
      }
      return `v${writeRecord(result, undefined)}`;
    }
    return `v${write(result, undefined, 0)}`;
  }

  function writeRecord(value: unknown, above: Ancestor | undefined): string {
    const text = write(value, above, 1);
    if (!isRecord(value))
      refuse("the function must return a record (an object), an array of records, null or undefined");
    return text;
  }

  function describe(error: unknown): string {
    if (error === refusal) return reason;
    let text: unknown = "the script threw a value that has no text";
    try {
      if (typeof error === "object" && error !== null) {
        const { name, message } = error as { name: unknown; message: unknown };
        if (typeof message === "string") text = typeof name === "string" ? `${name}: ${message}` : message;
        else text = `the script threw ${tagOf(error)}`;
      } else if (typeof error === "function") text = "the script threw a function";
      else text = `the script threw ${String_(error)}`;
    } catch {
      // its getters threw
    }
    // No character is cut in half.
    const last = codeOf(text as string, 499);
    return slice(text as string, 0, last >= 0xd800 && last <= 0xdbff ? 499 : 500);
  }

  function evaluateLine(evaluate: Evaluate, kind: string, sent: number, line: string): string {
    try {
      const parts = parse(line) as unknown[];
      let at = 0;
      const record = (sent & 1) === 0 ? undefined : parts[at++];
      const meta = (sent & 2) === 0 ? undefined : parts[at++];
      const value = (sent & 4) === 0 || at >= parts.length ? undefined : parts[at];
      return convert(kind === "function" ? evaluate(record, meta) : evaluate(value, record, meta), kind);
    } catch (error) {
      return `e${stringify(describe(error))}`;
    }
  }

  return {
    run(evaluate, kind, sent, text, count) {
      answer = "";
      let start = 0;
      for (let i = 0; i < count && answer.length < maxAnswer; i++) {
        progress[0] = i;
        progress[1] = now();
        let end = indexOf(text, "\n", start);
        if (end < 0) end = text.length;
        answer += `${evaluateLine(evaluate, kind, sent, slice(text, start, end))}\n`;
        start = end + 1;
        progress[0] = i + 1;
      }
      return answer;
    },
    take: () => answer,
  };
}
