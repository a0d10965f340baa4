import { randomBytes } from "node:crypto";
import { failureOf } from "../../runtime/delivery/index.ts";
import type { Attributes, Span, SpanName, SpanOrigin, Tracing } from "../../runtime/ports/telemetry.ts";
import type { Sampler } from "./sampler.ts";

/** A span that has ended. */
export interface EndedSpan {
  readonly name: SpanName;
  readonly traceId: string;
  readonly spanId: string;
  /** Of the span above it; undefined: it begins the trace. */
  readonly parentId: string | undefined;
  /** In milliseconds since the epoch. */
  readonly began: number;
  readonly ended: number;
  readonly attributes: Attributes;
  /** W3C `traceparent`. */
  readonly links: readonly string[];
  /** The code of what it failed with; undefined: it did not. A message may quote a record (invariant 7). */
  readonly error: string | undefined;
}

/** What is held back of one trace: its latest spans, and in all. */
const most = { ofTrace: 64, inAll: 4_096 };

interface HeldTrace {
  readonly spans: EndedSpan[];
  /** So many more of its spans are exported: they may be of what failed. */
  due: number;
}

/**
 * Hands ended spans to `emit`: those of sampled traces, and of any other trace that has an error on this node the latest
 * before the error and the next behind it. Until then a span is a few fields in memory, and no span of the SDK.
 */
export class SpanRecorder implements Tracing {
  readonly #sampler: Sampler;
  readonly #emit: (span: EndedSpan) => void;
  /** By trace, the one that was quiet for longest first. */
  readonly #held = new Map<string, HeldTrace>();
  #count = 0;

  constructor(sampler: Sampler, emit: (span: EndedSpan) => void) {
    this.#sampler = sampler;
    this.#emit = emit;
  }

  start(name: SpanName, attributes: Attributes, { parent, links = [], since }: SpanOrigin = {}): Span {
    const [, traceId = hex(16), parentId, flags] = parent?.split("-") ?? [];
    const isSampled = this.#sampler(traceId, flags === undefined ? undefined : (Number.parseInt(flags, 16) & 1) === 1);
    const spanId = hex(8);
    const began = since ?? now();
    return {
      traceparent: `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`,
      end: (failure, more) => {
        const all = more ? { ...attributes, ...more } : attributes;
        const error = failure === undefined ? all["error.type"]?.toString() : failureOf(failure).code;
        const span = { name, traceId, spanId, parentId, began, ended: now(), attributes: all, links, error };
        if (isSampled) this.#emit(span);
        else this.#hold(span);
      },
    };
  }

  #hold(span: EndedSpan): void {
    const { traceId, error } = span;
    const held = this.#held.get(traceId) ?? { spans: [], due: 0 };
    if (error !== undefined) {
      for (const earlier of held.spans) this.#emit(earlier);
      this.#count -= held.spans.length;
      held.spans.length = 0;
      held.due = most.ofTrace;
    }
    if (held.due > 0) {
      held.due--;
      this.#emit(span);
    } else {
      held.spans.push(span);
      this.#count++;
      if (held.spans.length > most.ofTrace) {
        held.spans.shift();
        this.#count--;
      }
    }
    this.#held.delete(traceId);
    this.#held.set(traceId, held);
    // Traces that hold nothing but a count of what is due are few: each had an error.
    for (const [oldest, { spans }] of this.#held) {
      if (this.#count <= most.inAll && this.#held.size <= most.inAll) break;
      this.#count -= spans.length;
      this.#held.delete(oldest);
    }
  }
}

let digits = "";
let used = 0;

/** Random; many are drawn at once. */
function hex(bytes: number): string {
  if (used + 2 * bytes > digits.length) {
    digits = randomBytes(4_096).toString("hex");
    used = 0;
  }
  used += 2 * bytes;
  return digits.slice(used - 2 * bytes, used);
}

const now = (): number => performance.timeOrigin + performance.now();
