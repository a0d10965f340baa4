import { useSyncExternalStore } from "react";

const place = "sluice.key";
const listeners = new Set<() => void>();

/** The key that the tab signed in with; it goes with the tab. */
export const session = {
  get key(): string | null {
    return sessionStorage.getItem(place);
  },
  signIn(key: string): void {
    sessionStorage.setItem(place, key);
    tell();
  },
  signOut(): void {
    sessionStorage.removeItem(place);
    tell();
  },
  /** Calls back on every change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export const useSignedIn = (): boolean => useSyncExternalStore(session.onChange, () => session.key !== null);

function tell(): void {
  for (const listener of listeners) listener();
}
