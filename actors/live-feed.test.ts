import { expect, onTestFinished, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import type { LiveChanges } from "../runtime/ports/live.ts";
import type { NodeStatus } from "../runtime/ports/nodes.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { LiveFeed } from "./live-feed.ts";
import type { NodeView } from "./node.ts";

test("what is larger than the server takes goes in several messages, and what is so by itself is left out", async () => {
  const told: LiveChanges[] = [];
  const removed = [...Array.from({ length: 300 }, (_, n) => `integration-${n}`), "x".repeat(5_000)];
  const view: NodeView = { health: new Map(), vitals: new Map(), owned: new Set(), names: new Set(), removed };
  const listeners = new Map<string, (message: Json) => void>();
  const feed = new LiveFeed({
    view,
    clock: new VirtualClock(),
    describeNode: async () => ({ id: "x".repeat(5_000) }) as NodeStatus,
    cluster: {
      publish(subject, message) {
        if (JSON.stringify(message).length > 1_000) throw new Error("max_payload size exceeded");
        listeners.get(subject)?.(message);
      },
      subscribe(subject, listener) {
        listeners.set(subject, listener);
        return () => {};
      },
      ask: async () => [],
      answer: () => () => {},
    },
  });
  feed.start();
  onTestFinished(() => feed.stop());
  feed.listen((changes) => void told.push(changes));
  await expect.poll(() => told.flatMap((changes) => changes.removed)).toEqual(removed.slice(0, 300));
  expect(told.length).toBeGreaterThan(3);
});
