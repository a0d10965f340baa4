import { expect, test } from "vitest";
import { hearsShared, isReservedSubject } from "./reserved.ts";

test.each([
  "sluice.in.1",
  "$KV.sluice-nodes.a",
  "$KV.sluice_nodes.a",
  "$O.sluice-claims.C.x",
  "$O.>",
  "$SYS.>",
  "$SYS.REQ.SERVER.PING",
  "_INBOX.>",
  "_INBOX.abc.1",
  "$JS.>",
  "$JS.*.API.>",
  "$JS.API.STREAM.DELETE.SLUICE_x",
  "$JS.hub.API.STREAM.DELETE.SLUICE_x",
  "$JS.ACK.SLUICE_x.y.1.1.1.1.1",
  "$JS.FC.SLUICE_x.y",
])("%s is what nodes and servers work with", (subject) => {
  expect(isReservedSubject(subject)).toBe(true);
});

test.each(["sluices", "orders.>", ">", "*.x", "$KV.prices.a", "$JS.EVENT.ADVISORY.x", "_INBOXES.a"])(
  "%s is free; what a wildcard finds is looked at by itself",
  (subject) => {
    expect(isReservedSubject(subject)).toBe(false);
  },
);

test.each([">", "*.>", "*.*.>", "*.*.*.>", "*.owner.>", "*.owner.*.*", "*.*.*.*", "*.owner.invoke.>"])(
  "%s hears what is asked of an integration's owner",
  (subject) => {
    expect(hearsShared(subject)).toBe(true);
  },
);

test.each(["orders.>", "*", "*.orders", "*.orders.>", "*.*", "*.*.*", "*.*.*.*.*", "*.*.*.*.>", "orders.*.*.*"])(
  "%s does not hear what is asked of an integration's owner",
  (subject) => {
    expect(hearsShared(subject)).toBe(false);
  },
);
