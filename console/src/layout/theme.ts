import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const place = "sluice.theme";
const watchers = new Set<() => void>();

export const theme = {
  get current(): Theme {
    const kept = localStorage.getItem(place);
    return kept === "light" || kept === "dark" ? kept : "system";
  },
  choose(chosen: Theme): void {
    if (chosen === "system") localStorage.removeItem(place);
    else localStorage.setItem(place, chosen);
    theme.apply();
    for (const watcher of watchers) watcher();
  },
  /** Shows the one that was chosen before. */
  apply(): void {
    document.documentElement.dataset.theme = theme.current;
  },
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** What is drawn on a canvas has its colours from when it was drawn. */
export const useIsDark = (): boolean => {
  const chosen = useTheme();
  const isSystemDark = useSyncExternalStore(
    (watcher) => {
      dark.addEventListener("change", watcher);
      return () => dark.removeEventListener("change", watcher);
    },
    () => dark.matches,
  );
  return chosen === "system" ? isSystemDark : chosen === "dark";
};

export const useTheme = (): Theme =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => theme.current,
  );
