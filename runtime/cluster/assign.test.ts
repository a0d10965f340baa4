import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign } from "./assign.ts";

const ids = fc.uniqueArray(fc.uuid(), { maxLength: 100 });
const nodes = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });

describe("assigning integrations to nodes", () => {
  it("gives every integration to one of the nodes, the same on every node", () => {
    fc.assert(
      fc.property(ids, nodes, (integrations, members) => {
        const owners = assign(integrations, members);
        expect([...owners.keys()]).toEqual(integrations);
        for (const owner of owners.values()) expect(members).toContain(owner);
        expect(assign(integrations, members.toReversed())).toEqual(owners);
      }),
    );
  });

  it("moves only what the node that leaves had, and what the node that comes gets", () => {
    fc.assert(
      fc.property(ids, nodes, fc.nat(), (integrations, members, which) => {
        const gone = members[which % members.length]!;
        const before = assign(integrations, members);
        const after = assign(
          integrations,
          members.filter((member) => member !== gone),
        );
        for (const [id, owner] of before) {
          if (owner !== gone) expect(after.get(id)).toBe(owner);
        }
      }),
    );
  });

  it("gives nothing to nobody", () => {
    expect(assign(["a", "b"], [])).toEqual(new Map());
  });

  it("spreads evenly: of 3,000 on 3 nodes none has more than a tenth above its share", () => {
    const integrations = Array.from({ length: 3_000 }, (_, n) => `integration-${n}`);
    const counts = new Map<string, number>();
    for (const owner of assign(integrations, ["n1", "n2", "n3"]).values()) {
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    expect(counts.size).toBe(3);
    expect(Math.max(...counts.values())).toBeLessThan(1_100);
  });
});
