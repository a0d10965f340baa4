import { readLetter } from "./letter-text.ts";

/** Reads a large dead letter beside the page, which stays at hand meanwhile. */
self.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
  self.postMessage(readLetter(new TextDecoder().decode(data)));
};
