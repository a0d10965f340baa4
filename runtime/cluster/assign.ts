import { createHash } from "node:crypto";

/** How far above its share a node may be: so much less moves when nodes and integrations come and go. */
const slack = 1.25;

/**
 * Spreads integrations over nodes by rendezvous hashing with bounded loads: each goes to the node of its highest
 * weight that has room. Every node computes the same from the same members. When a node comes or goes, what it takes or
 * leaves behind moves, and few others, for which there is room elsewhere. Empty when there is no node.
 */
export function assign(integrationIds: readonly string[], members: readonly string[]): Map<string, string> {
  const owners = new Map<string, string>();
  if (members.length === 0) return owners;
  const share = integrationIds.length / members.length;
  const room = Math.max(Math.ceil(share), Math.floor(share * slack));
  const rooms = new Map(members.map((member) => [member, room]));
  // In the order of their ids: a new integration, whose id is the last, takes no other's place.
  for (const id of integrationIds.toSorted()) {
    let owner: string | undefined;
    let highest = -1;
    for (const [member, left] of rooms) {
      const weight = left === 0 ? -1 : weightOf(id, member);
      // The order of `members` must not matter, even where two weights are the same.
      if (weight > highest || (weight === highest && owner !== undefined && member > owner)) {
        highest = weight;
        owner = member;
      }
    }
    owners.set(id, owner as string);
    rooms.set(owner as string, (rooms.get(owner as string) as number) - 1);
  }
  return owners;
}

function weightOf(id: string, member: string): number {
  return createHash("sha1").update(id).update("\0").update(member).digest().readUIntBE(0, 6);
}
