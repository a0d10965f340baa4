/** One answer serves all who ask within so many milliseconds after the question. */
export function sharedFor<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let asked: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = performance.now();
    if (asked === undefined || now - asked.at > ms) asked = { at: now, answer: ask() };
    return asked.answer;
  };
}
