import { fromBinary, type Headers } from "../sdk/cloudevents.ts";
import { type Json, type JsonObject, parseExact } from "../sdk/index.ts";
import { CutError, type Cutter, recordLimit, type Take } from "./cutter.ts";

/** An answer that is one event in binary mode. */
export class BinaryEventCutter implements Cutter {
  readonly #headers: Headers;
  readonly #take: Take;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(headers: Headers, take: Take) {
    this.#headers = headers;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (this.#bytes > recordLimit) throw new CutError("the event is too long");
  }

  end(): Json {
    let event: JsonObject;
    try {
      event = fromBinary(this.#headers, Buffer.concat(this.#pieces), parseExact);
    } catch {
      throw new CutError("it is no CloudEvent: a header or its data cannot be read");
    }
    const text = Buffer.from(JSON.stringify(event));
    this.#take(text, 0, text.length);
    return null;
  }
}
