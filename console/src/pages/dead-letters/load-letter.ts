import { queryOptions } from "@tanstack/react-query";
import { send } from "../../api/client.ts";
import { type Letter, readLetter } from "./letter-text.ts";

/** What takes longer to read than the eye forgives is read beside the page. In bytes. */
const large = 500_000;

export const letterQuery = (id: string) =>
  queryOptions({
    queryKey: ["dead-letter", id],
    queryFn: ({ signal }) => loadLetter(id, signal),
    // A large one is not kept longer than it is looked at.
    gcTime: 0,
  });

export async function loadLetter(id: string, signal?: AbortSignal): Promise<Letter> {
  const response = await send(`/v1/dead-letter/${encodeURIComponent(id)}`, { signal: signal ?? null });
  const bytes = await response.arrayBuffer();
  return bytes.byteLength < large ? readLetter(new TextDecoder().decode(bytes)) : readBeside(bytes, signal);
}

function readBeside(bytes: ArrayBuffer, signal: AbortSignal | undefined): Promise<Letter> {
  const worker = new Worker(new URL("./letter-worker.ts", import.meta.url), { type: "module" });
  return new Promise<Letter>((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
    worker.onmessage = ({ data }: MessageEvent<Letter>) => resolve(data);
    worker.onerror = () => reject(new Error("the dead letter cannot be read"));
    worker.postMessage(bytes, [bytes]);
  }).finally(() => worker.terminate());
}
