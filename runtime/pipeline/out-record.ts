import type { Correlation, Json, OutRecord } from "../../connectors/sdk/index.ts";
import type { DeliveryCall } from "../ports/delivery-call.ts";

/** What the records of one batch share: the ids that their source gives them. */
export interface Provenance {
  /** `child` tells apart what a step made of one record; the empty text is the record itself. */
  recordId(origin: number, child: string): string;
  /** The request that set a record going. */
  correlation(origin: number): Correlation | undefined;
}

/** A record that left the steps. Text, value and id are made when they are asked for, and kept. */
export class PipelineRecord implements OutRecord {
  readonly #provenance: Provenance;
  /** Index of the source record in its batch. */
  readonly origin: number;
  readonly child: string;
  /** Somebody waits for it. */
  call: DeliveryCall | undefined = undefined;
  #value: Json | undefined;
  #text: string | undefined;
  readonly #parse: (text: string) => Json;

  constructor(
    provenance: Provenance,
    origin: number,
    child: string,
    value: Json | undefined,
    text: string | undefined,
    parse: (text: string) => Json,
  ) {
    this.#provenance = provenance;
    this.origin = origin;
    this.child = child;
    this.#value = value;
    this.#text = text;
    this.#parse = parse;
  }

  get value(): Json {
    return (this.#value ??= this.#parse(this.#text as string));
  }

  get text(): string {
    return (this.#text ??= JSON.stringify(this.#value));
  }

  get id(): string {
    return this.#provenance.recordId(this.origin, this.child);
  }

  get correlation(): Correlation | undefined {
    return this.#provenance.correlation(this.origin);
  }
}
