/** How finely it is known. */
const stretchBytes = 1024 * 1024;
/** More is not remembered: 512 MiB or so. */
const mostStretches = 512;

/** What this node has appended to a log lately, in stretches of a mebibyte. */
export class RecentBytes {
  /** The sequences that they end with, and their bytes. */
  readonly #stretches: { last: number; bytes: number }[] = [];

  add(sequence: number, bytes: number): void {
    const stretch = this.#stretches.at(-1);
    if (stretch !== undefined && stretch.bytes < stretchBytes) {
      stretch.last = Math.max(stretch.last, sequence);
      stretch.bytes += bytes;
      return;
    }
    this.#stretches.push({ last: sequence, bytes });
    if (this.#stretches.length > mostStretches) this.#stretches.shift();
  }

  /** The latest sequence behind which `bytes` were appended, about; 0 where it is not known to be so much. */
  before(bytes: number): number {
    let behind = 0;
    for (let at = this.#stretches.length - 1; at >= 0; at--) {
      const stretch = this.#stretches[at]!;
      if (behind >= bytes) return stretch.last;
      behind += stretch.bytes;
    }
    return 0;
  }
}
