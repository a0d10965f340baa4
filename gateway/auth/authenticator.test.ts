import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { ApiKeyRow, ApiKeyStore } from "../../runtime/ports/identity.ts";
import { createAuthenticator } from "./authenticator.ts";
import { hashOf } from "./keys.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** A store with one key, which may be away. */
function store(expiresAt: Date | null = null) {
  const row = { id: "1", name: "a", owner: null, role: "viewer", scopes: null, expiresAt, rateLimit: null };
  const state = { away: false, revoked: false, asked: [] as number[] };
  const good = hashOf("t").toString("base64");
  const keys = {
    byHash: async () => {
      if (state.away) throw new SluiceError("UNAVAILABLE", "the database is away");
      return state.revoked ? null : (row as unknown as ApiKeyRow);
    },
    byHashes: async (hashes: readonly string[]) => {
      state.asked.push(hashes.length);
      return new Map(hashes.includes(good) && !state.revoked ? [[good, row as unknown as ApiKeyRow]] : []);
    },
    used: async () => {},
  };
  return { state, auth: createAuthenticator(keys as unknown as ApiKeyStore) };
}

test("a key that was good is good for as long as the store cannot be asked, and refused once it can and it was revoked", async () => {
  const { state, auth } = store();
  expect(await auth.verify("t")).toMatchObject({ id: "1" });
  state.away = true;
  for (let minutes = 0; minutes < 60; minutes++) {
    vi.advanceTimersByTime(60_000);
    expect(await auth.verify("t")).toMatchObject({ id: "1" });
  }
  Object.assign(state, { away: false, revoked: true });
  vi.advanceTimersByTime(10_001);
  expect(await auth.verify("t")).toBeNull();
  state.away = true;
  await expect(auth.verify("t")).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("while the store cannot be asked a key is refused that was not looked up lately, or has expired", async () => {
  const long = store();
  await long.auth.verify("t");
  vi.advanceTimersByTime(71_000);
  long.state.away = true;
  await expect(long.auth.verify("t")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(long.auth.verify("another")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  const short = store(new Date(Date.now() + 20_000));
  await short.auth.verify("t");
  short.state.away = true;
  vi.advanceTimersByTime(15_000);
  expect(await short.auth.verify("t")).toMatchObject({ id: "1" });
  vi.advanceTimersByTime(11_000);
  await expect(short.auth.verify("t")).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("of a flood of tokens the store is asked at once, and the one that is good is found among them", async () => {
  const { state, auth } = store();
  const flood = Array.from({ length: 1_000 }, (_, n) => auth.verify(`wrong ${n % 500}`, true));
  const good = auth.verify("t", true);
  expect(await good).toMatchObject({ id: "1" });
  expect(new Set(await Promise.all(flood))).toEqual(new Set([null]));
  expect(state.asked).toEqual([501]);
  // It is known from now on, and waits for nobody.
  expect(await auth.verify("t", true)).toMatchObject({ id: "1" });
  expect(state.asked).toHaveLength(1);
});
