/** The second settle throws: whoever settles twice has lost count. */
export function settleOnce<A extends readonly unknown[]>(settle: (...args: A) => void): (...args: A) => void {
  let settled = false;
  return (...args) => {
    if (settled) throw new Error("settled twice");
    settled = true;
    settle(...args);
  };
}
