import { createHash } from "node:crypto";

/**
 * Spreads integrations over nodes by rendezvous hashing: every node computes the same from the same members, and when
 * a node comes or goes only the integrations move that it takes or leaves behind. Empty when there is no node.
 */
export function assign(integrationIds: readonly string[], members: readonly string[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const id of integrationIds) {
    let owner: string | undefined;
    let highest = -1;
    for (const member of members) {
      const weight = weightOf(id, member);
      // The order of `members` must not matter, even where two weights are the same.
      if (weight > highest || (weight === highest && member > owner!)) {
        highest = weight;
        owner = member;
      }
    }
    if (owner !== undefined) owners.set(id, owner);
  }
  return owners;
}

function weightOf(id: string, member: string): number {
  return createHash("sha1").update(id).update("\0").update(member).digest().readUIntBE(0, 6);
}
