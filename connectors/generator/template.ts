import { ConnectorError, hash32, type Json, random } from "../sdk/index.ts";

/** Renders record `index` as JSON text: the same for the same seed and index, whatever was rendered before. */
export type Render = (index: number) => string;

/** A hole's JSON text, and its text within a longer one (which needs no escaping: no hole gives quotes or controls). */
interface Hole {
  readonly render: Render;
  /** The JSON text is a string in quotes. */
  readonly quoted: boolean;
}

const words = (
  "amber basil cedar delta ember fjord grove haven ivory jasper karma lemon maple north ocean pearl quartz river " +
  "stone tulip umber velvet willow xenon yarrow zephyr"
).split(" ");
const firstInstant = Date.UTC(2025, 0, 1);
const hole = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Compiles a template: its constant pieces are rendered once. Throws a ConnectorError for a hole it does not know. */
export function compileTemplate(template: Json, seed: number): Render {
  const pieces: (string | Render)[] = [];
  let slot = 0;

  const constant = (text: string): void => {
    const last = pieces.length - 1;
    if (typeof pieces[last] === "string") pieces[last] += text;
    else pieces.push(text);
  };
  const filled = (text: string, path: string): void => {
    const parts = [...text.matchAll(hole)];
    if (parts.length === 1 && parts[0]![0] === text) {
      const { render, quoted } = holeOf(parts[0]![1]!, seed, slot++, path);
      if (quoted) constant('"');
      pieces.push(render);
      if (quoted) constant('"');
      return;
    }
    constant('"');
    let at = 0;
    for (const part of parts) {
      constant(JSON.stringify(text.slice(at, part.index)).slice(1, -1));
      pieces.push(holeOf(part[1]!, seed, slot++, path).render);
      at = part.index + part[0].length;
    }
    constant(`${JSON.stringify(text.slice(at)).slice(1, -1)}"`);
  };
  const value = (json: Json, path: string): void => {
    if (typeof json === "string") filled(json, path);
    else if (json === null || typeof json !== "object") constant(JSON.stringify(json));
    else {
      const isArray = Array.isArray(json);
      constant(isArray ? "[" : "{");
      for (const [at, [name, member]] of Object.entries(json).entries()) {
        if (at > 0) constant(",");
        if (!isArray) constant(`${JSON.stringify(name)}:`);
        value(member, isArray ? `${path}[${name}]` : `${path}.${name}`);
      }
      constant(isArray ? "]" : "}");
    }
  };
  value(template, "config.template");

  return (index) => {
    let text = "";
    for (const piece of pieces) text += typeof piece === "string" ? piece : piece(index);
    return text;
  };
}

function holeOf(expression: string, seed: number, slot: number, path: string): Hole {
  const [name = "", ...args] = expression.split(/\s+/);
  const refuse = (why: string): never => {
    throw new ConnectorError("VALIDATION_ERROR", `{{ ${expression} }} in the template ${why}.`, {
      fault: "destination",
      path,
    });
  };
  const range = (): [number, number] => {
    const [from, to] = args.map(Number);
    if (args.length !== 2 || !Number.isFinite(from) || !Number.isFinite(to) || to! < from!) refuse("needs FROM and TO");
    return [from!, to!];
  };
  switch (name) {
    case "index":
      return { quoted: false, render: String };
    case "int": {
      const [from, to] = range();
      if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) refuse("needs integers");
      return {
        quoted: false,
        render: (index) => String(from + Math.floor(random(seed, index, slot) * (to - from + 1))),
      };
    }
    case "float": {
      const [from, to] = range();
      const round = (number: number) => Math.round(number * 100) / 100;
      return { quoted: false, render: (index) => String(round(from + random(seed, index, slot) * (to - from))) };
    }
    case "bool":
      return { quoted: false, render: (index) => (hash32(seed, index, slot) & 1 ? "true" : "false") };
    case "uuid":
      return { quoted: true, render: (index) => uuid(seed, index, slot) };
    case "word":
      return { quoted: true, render: (index) => words[hash32(seed, index, slot) % words.length]! };
    case "pick": {
      if (args.length === 0) refuse("needs words to pick from");
      const picks = args.map((word) => JSON.stringify(word).slice(1, -1));
      return { quoted: true, render: (index) => picks[hash32(seed, index, slot) % picks.length]! };
    }
    case "time":
      return { quoted: true, render: clock() };
    default:
      return refuse("is unknown; known are index, int, float, bool, uuid, word, pick and time");
  }
}

/** A second a record, so that a record's time does not hang on when it is read. */
function clock(): Render {
  let minute = -1;
  let upToMinute = "";
  return (index) => {
    const second = index % 60;
    if (index - second !== minute) {
      minute = index - second;
      upToMinute = new Date(firstInstant + minute * 1000).toISOString().slice(0, 17);
    }
    return `${upToMinute}${second < 10 ? "0" : ""}${second}.000Z`;
  };
}

const hex = Array.from({ length: 65_536 }, (_, number) => number.toString(16).padStart(4, "0"));

/** A UUID of version 4's form out of the seed. */
function uuid(seed: number, index: number, slot: number): string {
  const a = hash32(seed, index, slot * 4 + 1_000_000);
  const b = hash32(seed, index, slot * 4 + 1_000_001);
  const c = hash32(seed, index, slot * 4 + 1_000_002);
  const d = hash32(seed, index, slot * 4 + 1_000_003);
  const version = hex[0x4000 | (b & 0xfff)];
  const variant = hex[0x8000 | (c & 0x3fff)];
  return `${hex[a >>> 16]}${hex[a & 0xffff]}-${hex[b >>> 16]}-${version}-${variant}-${hex[c >>> 16]}${hex[d >>> 16]}${hex[d & 0xffff]}`;
}
