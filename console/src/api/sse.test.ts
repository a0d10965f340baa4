import { expect, test } from "vitest";
import { EventParser } from "./sse.ts";

test("events are complete with their empty line, wherever the texts are cut", () => {
  const text = 'id: 7\nevent: run\ndata: {"a":1}\n\n: keep-alive\n\ndata: one\r\ndata:two\r\n\r\n';
  const expected = [
    { id: "7", event: "run", data: '{"a":1}' },
    { id: "7", event: "message", data: "one\ntwo" },
  ];
  for (let cut = 0; cut <= text.length; cut++) {
    const parser = new EventParser();
    expect([...parser.take(text.slice(0, cut)), ...parser.take(text.slice(cut))]).toEqual(expected);
  }
});

test("an event without data, and one without its end, are none", () => {
  expect(new EventParser().take("event: run\n\ndata: begun")).toEqual([]);
});
