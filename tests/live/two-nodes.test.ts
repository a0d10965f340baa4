import { expect, test } from "vitest";
import { Group, ownNats } from "../chaos/suite/group.ts";
import { EventReader } from "../support/events.ts";

interface Item {
  readonly id: string;
  readonly live: { readonly at: string | null; readonly samples: { readonly out: readonly number[] } };
}

const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);

test("figures and events are the same on whichever node they are asked for, and a node that goes is told of", async () => {
  const ends: (() => unknown)[] = [];
  try {
    const atEnd = (end: () => unknown) => void ends.push(end);
    const { nodes } = await Group.start(2, atEnd, (await ownNats(atEnd)).url);
    const [first, second] = nodes as [(typeof nodes)[number], (typeof nodes)[number]];
    const streams = await Promise.all(nodes.map(({ url, token }) => EventReader.open(`${url}/v1/events`, token)));
    for (const stream of streams) await expect.poll(() => stream.of("ready")).toHaveLength(1);
    await first.api.connector("five", "generator", { count: 5 });
    await first.api.connector("hole", "blackhole", {});
    const copy = { source: { connector: "five", stream: "n" }, destination: { connector: "hole", stream: "s" } };
    // As many as it takes for each node to have some.
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, n) => first.api.integration({ name: `i${n}`, ...copy })),
    );
    const owned = async () => {
      const { items } = await second.api.call<{ items: { id: string; integrations: number }[] }>("GET", "/v1/nodes");
      return [
        items.length,
        sum(items.map(({ integrations }) => integrations)),
        items.every((one) => one.integrations > 0),
      ];
    };
    await expect.poll(owned).toEqual([2, 8, true]);
    for (const id of ids) await first.api.runAndWait(id);
    for (const node of nodes) {
      const figures = async () => {
        const { items } = await node.api.call<{ items: Item[] }>("GET", "/v1/overview");
        return items.map(({ live: { at, samples } }) => at !== null && sum(samples.out));
      };
      await expect.poll(figures, { timeout: 60_000 }).toEqual(Array(8).fill(5));
      for (const id of ids) {
        expect(await node.api.call("GET", `/v1/integrations/${id}/live`)).toMatchObject({ at: expect.any(String) });
      }
    }
    for (const stream of streams) {
      const ended = () => stream.of("run").filter(({ status }) => status === "success");
      await expect.poll(() => new Set(ended().map((run) => run.integration_id)).size).toBe(8);
    }
    const [heard] = streams as [EventReader];
    await second.kill();
    const last = () => heard.of("node").findLast(({ id }) => id === second.id)?.state;
    await expect.poll(last, { timeout: 60_000 }).toBe("gone");
  } finally {
    for (const end of ends.reverse()) await end();
  }
});
