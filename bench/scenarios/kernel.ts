import { lastValueFrom, mergeMap } from "rxjs";
import { type Actor, ActorSystem } from "../../runtime/actor/index.ts";
import { Credit, fromPull } from "../../runtime/stream/index.ts";

/** What the kernel itself costs, on one core: mail, and credit with its Observable. One JSON line a result. */
export async function run(): Promise<void> {
  await best("tell-to-receive", "message", () => burst(1_000_000, (receive) => ({ receive })));
  await best("tell-to-receive-async", "message", () =>
    burst(200_000, (receive) => ({ receive: async () => receive() })),
  );
  await best("from-pull-credit-for-16", "batch", () => pulled(100_000, 16));
  await best("from-pull-credit-for-1", "batch", () => pulled(100_000, 1));
}

/** The best of five rounds; each gives microseconds a piece. */
async function best(name: string, per: string, round: () => Promise<number>): Promise<void> {
  let us = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) us = Math.min(us, await round());
  const line = { scenario: "kernel", name, per, us: Number(us.toPrecision(3)), rate: Math.round(1e6 / us) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** From a burst of tells to the last receive. */
async function burst(size: number, actorOf: (receive: () => void) => Actor<number>): Promise<number> {
  const system = new ActorSystem();
  const done = Promise.withResolvers<void>();
  let received = 0;
  const create = () =>
    actorOf(() => {
      if (++received === size) done.resolve();
    });
  const ref = system.spawn({ create });
  const begin = performance.now();
  for (let i = 0; i < size; i++) ref.tell(i);
  await done.promise;
  const elapsedMs = performance.now() - begin;
  await system.shutdown();
  return (elapsedMs * 1e3) / size;
}

/** Each batch is pulled, granted, passed on and released; the pull itself costs nothing. */
async function pulled(size: number, batches: number): Promise<number> {
  const cost = { records: 400, bytes: 100_000 };
  const credit = new Credit({ records: cost.records * batches, bytes: cost.bytes * batches });
  let left = size;
  const pull = async () => (left-- > 0 ? left : null);
  const stream = fromPull(pull, credit, () => cost, cost).pipe(mergeMap(async ({ release }) => release()));
  const begin = performance.now();
  await lastValueFrom(stream, { defaultValue: undefined });
  return ((performance.now() - begin) * 1e3) / size;
}
