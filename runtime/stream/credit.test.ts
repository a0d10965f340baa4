import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Amount } from "./amount.ts";
import { Credit } from "./credit.ts";

const limit = { records: 10, bytes: 1000 };
const upTo = (records: number, bytes: number) =>
  fc.record({ records: fc.integer({ min: 1, max: records }), bytes: fc.integer({ min: 1, max: bytes }) });
/** Mostly a few that fit together; some that pass only alone. */
const amounts = fc.oneof({ weight: 4, arbitrary: upTo(6, 600) }, { weight: 1, arbitrary: upTo(20, 2000) });

const exceeds = (amount: Amount) => amount.records > limit.records || amount.bytes > limit.bytes;
const sum = (all: Iterable<Amount>): Amount => {
  let [records, bytes] = [0, 0];
  for (const amount of all) [records, bytes] = [records + amount.records, bytes + amount.bytes];
  return { records, bytes };
};

/** A plain account of who holds and who waits, in order. */
interface Model {
  held: Amount[];
  waiting: { amount: Amount; id: number }[];
  granted: number[];
}

interface Real {
  readonly credit: Credit;
  readonly aborts: Map<number, AbortController>;
  readonly granted: number[];
  next: number;
}

/** What the model expects after a change: those that wait are served strictly in order, while they fit. */
function serve(model: Model): void {
  for (let first = model.waiting[0]; first !== undefined; first = model.waiting[0]) {
    const after = sum([...model.held, first.amount]);
    if (model.held.length > 0 && exceeds(after)) return;
    model.waiting.shift();
    model.held.push(first.amount);
    model.granted.push(first.id);
  }
}

async function check(model: Model, real: Real): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  expect(real.granted).toEqual(model.granted);
  expect(real.credit.held).toEqual(sum(model.held));
  const { available, held } = real.credit;
  expect(available.records).toBeGreaterThanOrEqual(0);
  expect(available.bytes).toBeGreaterThanOrEqual(0);
  // Invariant 4, with its one exception.
  if (exceeds(held)) expect(model.held).toHaveLength(1);
}

class Take implements fc.AsyncCommand<Model, Real> {
  readonly amount: Amount;
  constructor(amount: Amount) {
    this.amount = amount;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    const id = real.next++;
    const controller = new AbortController();
    real.aborts.set(id, controller);
    real.credit.take(this.amount, controller.signal).then(
      () => real.granted.push(id),
      () => {},
    );
    model.waiting.push({ amount: this.amount, id });
    serve(model);
    await check(model, real);
  }
  toString = () => `take(${this.amount.records}, ${this.amount.bytes})`;
}

class TryTake implements fc.AsyncCommand<Model, Real> {
  readonly amount: Amount;
  constructor(amount: Amount) {
    this.amount = amount;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    const may = model.waiting.length === 0 && (model.held.length === 0 || !exceeds(sum([...model.held, this.amount])));
    expect(real.credit.tryTake(this.amount)).toBe(may);
    if (may) model.held.push(this.amount);
    await check(model, real);
  }
  toString = () => `tryTake(${this.amount.records}, ${this.amount.bytes})`;
}

class Give implements fc.AsyncCommand<Model, Real> {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
  check = (model: Readonly<Model>) => model.held.length > 0;
  async run(model: Model, real: Real): Promise<void> {
    const [amount] = model.held.splice(this.index % model.held.length, 1) as [Amount];
    real.credit.give(amount);
    serve(model);
    await check(model, real);
  }
  toString = () => `give(${this.index})`;
}

class Abort implements fc.AsyncCommand<Model, Real> {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
  check = (model: Readonly<Model>) => model.waiting.length > 0;
  async run(model: Model, real: Real): Promise<void> {
    for (const { id } of model.waiting.splice(this.index % model.waiting.length, 1)) real.aborts.get(id)?.abort();
    serve(model);
    await check(model, real);
  }
  toString = () => `abort(${this.index})`;
}

class Exchange implements fc.AsyncCommand<Model, Real> {
  readonly index: number;
  readonly amount: Amount;
  constructor(index: number, amount: Amount) {
    this.index = index;
    this.amount = amount;
  }
  check = (model: Readonly<Model>) => model.held.length > 0;
  async run(model: Model, real: Real): Promise<void> {
    const index = this.index % model.held.length;
    const others = model.held.toSpliced(index, 1);
    const may = others.length === 0 || !exceeds(sum([...others, this.amount]));
    expect(real.credit.exchange(model.held[index] as Amount, this.amount)).toBe(may);
    if (may) model.held[index] = this.amount;
    serve(model);
    await check(model, real);
  }
  toString = () => `exchange(${this.index}, ${this.amount.records}, ${this.amount.bytes})`;
}

describe("credit", () => {
  it("is never negative, never held above the limit save by one alone, and served in order, whatever happens", async () => {
    const commands = [
      amounts.map((amount) => new Take(amount)),
      amounts.map((amount) => new TryTake(amount)),
      fc.nat(9).map((index) => new Give(index)),
      fc.nat(9).map((index) => new Give(index)),
      fc.nat(9).map((index) => new Abort(index)),
      fc.tuple(fc.nat(9), amounts).map(([index, amount]) => new Exchange(index, amount)),
    ];
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: "max" }), (sequence) =>
        fc.asyncModelRun(
          () => ({
            model: { held: [], waiting: [], granted: [] } as Model,
            real: { credit: new Credit(limit), aborts: new Map(), granted: [], next: 0 } as Real,
          }),
          sequence,
        ),
      ),
    );
  });

  it("throws when more comes back than was taken, and keeps its balance", () => {
    const credit = new Credit(limit);
    credit.tryTake({ records: 2, bytes: 20 });
    expect(() => credit.give({ records: 1, bytes: 21 })).toThrow("more credit");
    expect(credit.held).toEqual({ records: 2, bytes: 20 });
  });

  it("takes nothing for a signal that has aborted", async () => {
    const credit = new Credit(limit);
    await expect(credit.take({ records: 1, bytes: 1 }, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(credit.held).toEqual({ records: 0, bytes: 0 });
  });

  it("must begin above zero", () => {
    expect(() => new Credit({ records: 0, bytes: 1 })).toThrow(RangeError);
    expect(() => new Credit({ records: 1, bytes: Number.NaN })).toThrow(RangeError);
  });
});
