import type { Readable } from "node:stream";

/** The rest of a longer line is dropped. */
const lineMax = 64 * 1024;

/** Tells of each line, of what is no longer than `lineMax` characters, as soon as that is known. Returns what stops it. */
export function eachLine(stream: Readable, take: (line: string) => void): () => void {
  let held = "";
  let dropping = false;
  let stopped = false;
  const line = () => {
    const text = held.endsWith("\r") ? held.slice(0, -1) : held;
    held = "";
    if (!stopped) take(text);
  };
  const hold = (text: string) => {
    if (dropping) return;
    held += text.slice(0, lineMax - held.length);
    if (held.length < lineMax) return;
    dropping = true;
    line();
  };
  const data = (chunk: string) => {
    let from = 0;
    for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", from)) {
      hold(chunk.slice(from, at));
      if (!dropping) line();
      dropping = false;
      from = at + 1;
    }
    hold(chunk.slice(from));
  };
  const end = () => {
    if (held !== "") line();
  };
  stream.setEncoding("utf8").on("data", data).once("end", end);
  return () => {
    stopped = true;
    stream.off("data", data).off("end", end);
  };
}

/** What one plugin may say within a second; a line that was begun below it is still said. */
const mostLines = 100;
const mostCharacters = 128 * 1024;
const windowMs = 1_000;

/** Passes on so many lines a second. Of the rest it only says how many they were. */
export function bounded(take: (line: string) => void, tell: (left: number) => void): (line: string) => void {
  let begun = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let characters = 0;
  let left = 0;
  const flush = () => {
    if (left > 0) tell(left);
    left = 0;
  };
  return (line) => {
    const now = performance.now();
    if (left === 0 && now - begun >= windowMs) [begun, lines, characters] = [now, 0, 0];
    if (lines >= mostLines || characters >= mostCharacters) {
      if (left++ === 0) setTimeout(flush, Math.max(0, begun + windowMs - now)).unref();
      return;
    }
    lines++;
    characters += line.length;
    take(line);
  };
}
