import fc from "fast-check";
import { expect, test } from "vitest";
import { sortGraph } from "./graph.ts";

const node = (id: string, ...needs: string[]) => ({ id, needs });

test("every node comes after all it needs", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat({ max: 30 }), { maxLength: 4 }), { maxLength: 30 }), (lists) => {
      // Needs of lower numbers only: no cycle.
      const nodes = lists.map((list, index) => node(`n${index}`, ...list.filter((n) => n < index).map((n) => `n${n}`)));
      const { order, cycle } = sortGraph(nodes.toReversed());
      expect(cycle).toEqual([]);
      expect(order.toSorted()).toEqual(nodes.map(({ id }) => id).toSorted());
      for (const { id, needs } of nodes) {
        for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id));
      }
    }),
  );
});

test("a cycle is named by its own nodes, each needed by the next", () => {
  const { cycle, order } = sortGraph([
    node("in", "source"),
    node("a", "c", "in"),
    node("b", "a"),
    node("c", "b"),
    node("d", "c"),
  ]);
  expect(order).toEqual(["in"]);
  expect(cycle.toSorted()).toEqual(["a", "b", "c"]);
  expect(`${cycle.join()},${cycle.join()}`).toContain("a,b,c");
});

test("a node that needs itself is a cycle", () => {
  expect(sortGraph([node("a", "a")]).cycle).toEqual(["a"]);
});
