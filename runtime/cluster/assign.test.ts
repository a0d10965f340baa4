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
        expect([...owners.keys()].sort()).toEqual(integrations.toSorted());
        for (const owner of owners.values()) expect(members).toContain(owner);
        expect(assign(integrations.toReversed(), members.toReversed())).toEqual(owners);
      }),
    );
  });

  it("gives no node more than a quarter above its share, or one where a share is less than one", () => {
    fc.assert(
      fc.property(ids, nodes, (integrations, members) => {
        const share = integrations.length / members.length;
        for (const count of counts(assign(integrations, members)).values()) {
          expect(count).toBeLessThanOrEqual(Math.max(Math.ceil(share), share * 1.25));
        }
      }),
    );
  });

  it("gives as many nodes as there are integrations one each", () => {
    fc.assert(
      fc.property(nodes, (members) => {
        const integrations = members.map((_, n) => `integration-${n}`);
        expect(counts(assign(integrations, members)).size).toBe(members.length);
      }),
    );
  });

  it("moves what the node that leaves had and little else, and all of it back when it returns", () => {
    let others = 0;
    const times = 100;
    for (let n = 0; n < times; n++) {
      const integrations = Array.from({ length: 30 }, (_, i) => `integration-${n}-${i}`);
      const members = ["a", "b", "c"].map((member) => `${member}-${n}`);
      const before = assign(integrations, members);
      const after = assign(integrations, members.slice(1));
      for (const [id, owner] of before) if (owner !== members[0] && after.get(id) !== owner) others++;
      expect(assign(integrations, members)).toEqual(before);
    }
    // A third of an integration each time, of the twenty that could stay.
    expect(others / times).toBeLessThan(1);
  });

  it("leaves all where they are when an integration comes that there is room for", () => {
    const integrations = Array.from({ length: 30 }, (_, i) => `01-${String(i).padStart(2, "0")}`);
    const before = assign(integrations, ["a", "b", "c"]);
    const after = assign([...integrations, "02"], ["a", "b", "c"]);
    for (const [id, owner] of before) expect(after.get(id)).toBe(owner);
  });

  it("gives nothing to nobody", () => {
    expect(assign(["a", "b"], [])).toEqual(new Map());
  });
});

function counts(owners: ReadonlyMap<string, string>): Map<string, number> {
  const found = new Map<string, number>();
  for (const owner of owners.values()) found.set(owner, (found.get(owner) ?? 0) + 1);
  return found;
}
