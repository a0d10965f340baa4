import { afterAll, describe, expect, test } from "vitest";
import type { Script, ScriptResult } from "../../runtime/ports/sandbox.ts";
import { createSandbox } from "./index.ts";

// Each attack is the second of three records; whatever becomes of it, its neighbours have their results, and so have
// the next batches of this scope and of another.

/** For what has to run out of time; all else has plenty, whatever else the machine does. */
const strict = createSandbox({ limits: { timeMs: 500 } });
const patient = createSandbox({ limits: { timeMs: 20_000 } });
afterAll(async () => {
  await strict.close();
  await patient.close();
});
const signal = new AbortController().signal;

function run(
  scope: string,
  script: Script,
  records: readonly object[],
  sandbox = patient,
): Promise<readonly ScriptResult[]> {
  const calls = records.map((record) => ({ record: { ...record }, meta: { run_id: "r" } }));
  return sandbox.run(scope, script, calls as Parameters<typeof sandbox.run>[2], signal);
}

let attacks = 0;

async function attack(body: string, sandbox = patient): Promise<ScriptResult> {
  const attacked = `attacked ${attacks++}`;
  const source = `record.n === 2 ? (() => { ${body} })() : record.n * 10`;
  const script: Script = { kind: "expression", source };
  const [first, second, third] = await run(attacked, script, [{ n: 1 }, { n: 2 }, { n: 3 }], sandbox);
  expect(first).toEqual({ ok: true, value: 10 });
  expect(third).toEqual({ ok: true, value: 30 });
  for (const scope of [attacked, "another"]) {
    const next: Script = { kind: "function", source: "r => [{ a: r.n }, { b: [r.n] }]" };
    const after = await run(scope, next, [{ n: 5 }], sandbox);
    expect(after).toEqual([{ ok: true, value: [{ a: 5 }, { b: [5] }] }]);
  }
  return second as ScriptResult;
}

const limit = 90_000;

describe("what does not end, or takes all memory, fails with TIMEOUT", () => {
  const attacks: { readonly [name: string]: string } = {
    "an infinite loop": "for (;;);",
    "a loop that catches": "for (;;) { try { for (;;); } catch {} }",
    "a loop in finally": "try { throw 1 } finally { for (;;); }",
    "a regular expression that backtracks": 'return /^(a+)+$/.test("a".repeat(40) + "b")',
    "a loop in a getter of the result": "return { get a() { for (;;); } }",
    "a loop in a proxy's trap": "return new Proxy({}, { ownKeys() { for (;;); } })",
    "a loop in what is thrown": "throw { get message() { for (;;); } }",
    "a bomb of arrays": "const a = []; for (;;) a.push(new Array(1000).fill(0))",
    "a bomb of objects": "const a = []; for (let i = 0; ; i++) a.push({ i })",
    "a bomb of strings": 'const a = []; for (let i = 0; ; i++) a.push(("ab".repeat(1e6) + i).toUpperCase())',
    "a bomb of a map": "const m = new Map(); for (let i = 0; ; i++) m.set(i, i)",
    "an endless list in a global": "globalThis.leak = []; for (;;) leak.push(new Array(1e5).fill(leak.length))",
  };
  test.for(Object.entries(attacks))("%s", { timeout: limit }, async ([, body]) => {
    expect(await attack(body, strict)).toMatchObject({ ok: false, code: "TIMEOUT" });
  });
});

describe("what is refused by the engine or by the conversion fails with VALIDATION_ERROR", () => {
  const attacks: { readonly [name: string]: [string, RegExp] } = {
    "deep recursion": ["const f = () => f(); f()", /call stack/],
    "a string without end": ['let s = "x"; for (;;) s += s', /string length/],
    "array buffers without end": ["const a = []; for (;;) a.push(new ArrayBuffer(1e6))", /allocation failed/],
    "an array buffer that grows": ["new ArrayBuffer(8, { maxByteLength: 2 ** 32 }).resize(2 ** 32)", /resiz|TypeError/],
    "the hidden constructor of array buffers": [
      "new (new Uint8Array(1).buffer.constructor)(8, { maxByteLength: 2 ** 32 }).resize(2 ** 32)",
      /TypeError/,
    ],
    "a thrown string": ['throw "no"', /threw no/],
    "a thrown undefined": ["throw undefined", /threw undefined/],
    "a thrown null": ["throw null", /threw null/],
    "a thrown symbol": ['throw Symbol("x")', /Symbol\(x\)/],
    "a thrown proxy": ["throw new Proxy({}, { get() { throw 1 } })", /no text/],
    "a thrown revoked proxy": ["const p = Proxy.revocable({}, {}); p.revoke(); throw p.proxy", /no text/],
    "a promise that never settles": ["return new Promise(() => {})", /promise/],
    "an async function": ["return (async () => 1)()", /promise/],
    "a dynamic import": ['return import("node:fs")', /promise/],
    require: ['return require("fs")', /ReferenceError/],
    process: ["return process.env", /ReferenceError/],
    Buffer: ["return Buffer.from('x')", /ReferenceError/],
    fetch: ["return fetch('http://127.0.0.1')", /ReferenceError/],
    setTimeout: ["return setTimeout(() => {}, 1)", /ReferenceError/],
    WebAssembly: ["return new WebAssembly.Memory({ initial: 1000 })", /ReferenceError/],
    SharedArrayBuffer: ["return new SharedArrayBuffer(8)", /ReferenceError/],
    "Atomics.wait": ["return Atomics.wait(new Int32Array(1), 0, 0)", /ReferenceError/],
    FinalizationRegistry: ["return new FinalizationRegistry(() => {})", /ReferenceError/],
    "constructor.constructor": ['return this.constructor.constructor("return process")().pid', /ReferenceError|Error/],
    "the constructor of the record": ['return record.constructor.constructor("return process")()', /ReferenceError/],
    "the constructor of an async function": [
      'return (async () => {}).constructor("return process.mainModule")()',
      /promise/,
    ],
    "the callers' functions": ["return (function f() { return f.caller.arguments })()", /TypeError/],
    "a stack's call sites": [
      "Error.prepareStackTrace = (_, sites) => sites.map((s) => s.getFunction() ?? s.getThis()).filter(Boolean);" +
        "const found = new Error().stack; delete Error.prepareStackTrace; return [found.at(-1)()]",
      /Error|is no JSON/,
    ],
    "an error of the host": [
      'try { null.x } catch (e) { return e.constructor.constructor("return process")() }',
      /ReferenceError/,
    ],
    "an error from a full stack": [
      "let error; const f = () => { try { f() } catch (e) { error ??= e } }; f();" +
        'return error.constructor.constructor("return process")()',
      /ReferenceError/,
    ],
    "a getter in the result that throws": ["return { get a() { throw new Error('no') } }", /no/],
    "a revoked proxy as the result": ["const p = Proxy.revocable([], {}); p.revoke(); return p.proxy", /revoked/],
    "an array of 4 billion holes": ["return new Array(2 ** 32 - 1)", /larger than/],
    "a result of 17 million characters": ['return "x".repeat(17 * 2 ** 20)', /larger than/],
    "a result that refers to itself": ["const a = { b: [] }; a.b.push(a); return a", /refers to itself/],
    "a result nested too deep": ["let a = []; for (let i = 0; i < 5000; i++) a = [a]; return a", /deeper/],
    NaN: ["return { a: [NaN] }", /NaN/],
    Infinity: ["return -Infinity", /Infinity/],
    "a function in the result": ["return { a: () => 1 }", /function/],
    "a symbol in the result": ["return [Symbol.iterator]", /symbol/],
    "an invalid date": ["return [new Date(NaN)]", /invalid date/],
    "a promise in disguise": ["const p = Promise.resolve(); p[Symbol.toStringTag] = 'Object'; return [p]", /promise/],
    "a map": ["return new Map([[1, 2]])", /Map/],
  };
  test.for(Object.entries(attacks))("%s", { timeout: limit }, async ([, [body, message]]) => {
    const result = await attack(body);
    expect(result).toMatchObject({ ok: false, code: "VALIDATION_ERROR", message: expect.stringMatching(message) });
    if (!result.ok) expect(result.message).not.toMatch(/\n|node_modules|adapters|\.ts/);
  });
});

describe("what is tampered with changes no result, its own neither", () => {
  const attacks: { readonly [name: string]: string } = {
    "toJSON of all objects": "Object.prototype.toJSON = () => 'evil'; Array.prototype.toJSON = () => 'evil';",
    "setters of all objects":
      "for (const k of ['a', 'b', '0', 'value']) " +
      "Object.defineProperty(Object.prototype, k, { configurable: true, set() { throw 1 }, get() { return 'evil' } });",
    "indexes of all arrays":
      "Object.defineProperty(Array.prototype, 0, { configurable: true, set() { throw 1 }, get() { return 'evil' } });",
    "methods of arrays": "for (const k of ['push', 'join', 'map', 'slice']) Array.prototype[k] = () => { throw 1 };",
    "methods of strings": "for (const k of ['slice', 'indexOf', 'split']) String.prototype[k] = () => 'evil';",
    JSON: "JSON.parse = () => ({ n: 'evil' }); JSON.stringify = () => 'evil';",
    iteration: "Array.prototype[Symbol.iterator] = () => { throw 1 }; Symbol.iterator;",
    functions: "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => 'evil';",
    "Reflect and Object": "Reflect.apply = Object.keys = Array.isArray = Object.getPrototypeOf = () => { throw 1 };",
    dates: "Date.now = () => { throw 1 }; Date.prototype.getTime = Date.prototype.toISOString = () => 'evil';",
    instanceof: "Object.defineProperty(Promise, Symbol.hasInstance, { value: () => true });",
    "the global itself":
      "for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k] } catch {}",
  };
  test.for(Object.entries(attacks))("%s", { timeout: limit }, async ([, body]) => {
    expect(await attack(`${body}; return { a: [1, { b: "x" }] }`)).toEqual({
      ok: true,
      value: { a: [1, { b: "x" }] },
    });
  });
});

test("a message that is too long is cut, and no character in half", async () => {
  const thrown = (length: number) => attack(`throw "x".repeat(${length}) + "😀 and more"`);
  const said = "the script threw ".length;
  const results = await Promise.all([499, 498].map((length) => thrown(length - said)));
  expect(results.map((result) => !result.ok && result.message.slice(497))).toEqual(["xx", "x😀"]);
});

describe("what is odd but harmless has its result", () => {
  const cases: { readonly [name: string]: [string, unknown] } = {
    eval: ["return eval('record.n + 1')", 3],
    Function: ["return new Function('return typeof process')()", "undefined"],
    "a proxy": ["return new Proxy({ a: 1 }, {})", { a: 1 }],
    "a getter": ["return { get a() { return 1 } }", { a: 1 }],
    "a member called __proto__": ["return JSON.parse('{\"__proto__\": 1}')", JSON.parse('{"__proto__": 1}')],
    "100,000 members": [
      "const a = {}; for (let i = 0; i < 1e5; i++) a['k' + i] = i; return Object.keys(a).length + 0 * (a.k1)",
      100_000,
    ],
    "a rejected promise that nobody sees": ["Promise.reject(new Error('x')); return 1", 1],
  };
  test.for(Object.entries(cases))("%s", { timeout: limit }, async ([, [body, value]]) => {
    expect(await attack(body)).toEqual({ ok: true, value });
  });

  test("a promise's reactions without end stop, and the results are kept", { timeout: limit }, async () => {
    const body = "Promise.resolve().then(function f() { Promise.resolve().then(f) }); return 1";
    expect(await attack(body, strict)).toEqual({ ok: true, value: 1 });
  });

  test("globals of one scope are not seen by another", async () => {
    await run("one", { kind: "expression", source: "globalThis.secret = 1" }, [{}]);
    const seen = await run("two", { kind: "expression", source: "typeof secret" }, [{}]);
    expect(seen).toEqual([{ ok: true, value: "undefined" }]);
  });

  test("a result of 100,000 members comes whole", async () => {
    const source = "r => { for (let i = 0; i < 1e5; i++) r['k' + i] = i; return r; }";
    const [result] = await run("wide", { kind: "function", source }, [{}]);
    expect(result?.ok && Object.keys(result.value as object).length).toBe(100_000);
  });
});

test("an array filled in one go, which no time limit interrupts, costs the process and its own record", {
  timeout: limit,
}, async () => {
  expect(await attack("return new Array(2 ** 27).fill(0).length", strict)).toMatchObject({
    ok: false,
    code: "TIMEOUT",
  });
});
