/** Evenly spread 32 bits of (seed, index, slot): the same on every machine and in every run. */
export function hash32(seed: number, index: number, slot: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index | 0, 0xc2b2ae35);
  h ^= Math.imul(Math.floor(index / 0x100000000) + slot * 0x27d4eb2f, 0x165667b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The same as a number in [0, 1). */
export function random(seed: number, index: number, slot: number): number {
  return hash32(seed, index, slot) / 0x100000000;
}
