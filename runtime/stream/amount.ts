/** What credit is counted in. */
export interface Amount {
  readonly records: number;
  readonly bytes: number;
}

export const nothing: Amount = { records: 0, bytes: 0 };

export function plus(a: Amount, b: Amount): Amount {
  return { records: a.records + b.records, bytes: a.bytes + b.bytes };
}

export function minus(a: Amount, b: Amount): Amount {
  return { records: a.records - b.records, bytes: a.bytes - b.bytes };
}

export function isNegative(amount: Amount): boolean {
  return amount.records < 0 || amount.bytes < 0;
}

/** Whether `amount` may be held beside what is. One that is larger than the whole limit passes, but only alone. */
export function fits(limit: Amount, held: Amount, amount: Amount): boolean {
  if (held.records === 0 && held.bytes === 0) return true;
  const sum = plus(held, amount);
  return sum.records <= limit.records && sum.bytes <= limit.bytes;
}
