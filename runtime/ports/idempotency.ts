import type { Json } from "../../connectors/sdk/index.ts";

/** What was answered to a request, to be answered again. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  /** Null where there was none, or where it is not kept. */
  readonly body: Json;
}

export interface IdempotencyStore {
  /**
   * Begins a request by its key. `begun`: nobody has it, and whoever began must say `done` or `forget`. `busy`: another
   * is at it. `other`: the key was given to another request. Else the answer that it had.
   */
  begin(caller: string, key: string, fingerprint: Uint8Array): Promise<"begun" | "busy" | "other" | KeptAnswer>;
  /** Kept for 24 hours from when it began. */
  done(caller: string, key: string, answer: KeptAnswer): Promise<void>;
  /** It came to nothing, and may come again. */
  forget(caller: string, key: string): Promise<void>;
}
