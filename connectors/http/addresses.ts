import { BlockList, isIP } from "node:net";

type Range = readonly [address: string, bits: number];

/** What is no public unicast address (IANA's special-purpose registries), and where clouds keep what is not for users. */
const closed4: readonly Range[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Of the one range that is global unicast: protocol assignments with Teredo, and documentation. */
const closed6: readonly Range[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["3fff::", 20],
];

const open6 = listOf([["2000::", 3]], "ipv6");
const closed = listOf(closed4, "ipv4", listOf(closed6, "ipv6"));

/**
 * Which addresses may be connected to: public ones, and those that are named. An IPv6 address that carries an IPv4 one
 * (mapped, NAT64, 6to4) counts as that.
 */
export class AddressGuard {
  readonly #allowed = new BlockList();

  /** CIDRs or plain addresses; throws for anything else. */
  constructor(allowed: readonly string[]) {
    for (const each of allowed) {
      const [address = "", bits] = each.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      this.#allowed.addSubnet(address, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
    }
  }

  allows(address: string): boolean {
    const plain = address.replace(/%.*$/, "");
    const family = isIP(plain);
    if (family === 0) return false;
    const carried = family === 6 ? carriedIn(plain) : undefined;
    if (this.#allowed.check(plain, family === 6 ? "ipv6" : "ipv4")) return true;
    if (carried !== undefined) return this.allows(carried);
    if (family === 4) return !closed.check(plain, "ipv4");
    return open6.check(plain, "ipv6") && !closed.check(plain, "ipv6");
  }
}

/** The IPv4 address in an IPv6 one. */
function carriedIn(address: string): string | undefined {
  const groups = groupsOf(address);
  const [first, second] = groups as [number, number];
  const dotted = (high: number, low: number) => [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const last = () => dotted(groups[6]!, groups[7]!);
  const startsWith = (...wanted: number[]) => wanted.every((group, at) => groups[at] === group);
  // ::ffff:0:0/96, the translated ::ffff:0:0:0/96, and 64:ff9b::/96.
  if (startsWith(0, 0, 0, 0, 0, 0xffff) || startsWith(0, 0, 0, 0, 0xffff, 0)) return last();
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0)) return last();
  if (first === 0x2002) return dotted(second, groups[2]!);
  return undefined;
}

/** The eight groups of a valid address. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const parse = (text: string): number[] =>
    text.split(":").flatMap((group) => {
      if (group === "") return [];
      if (!group.includes(".")) return [Number.parseInt(group, 16)];
      const [a, b, c, d] = group.split(".").map(Number) as [number, number, number, number];
      return [a * 256 + b, c * 256 + d];
    });
  const before = parse(head);
  const after = parse(tail ?? "");
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function listOf(ranges: readonly Range[], family: "ipv4" | "ipv6", list = new BlockList()): BlockList {
  for (const [address, bits] of ranges) list.addSubnet(address, bits, family);
  return list;
}
