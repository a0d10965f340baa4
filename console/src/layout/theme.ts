import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const place = "sluice.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
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
  /** Shows the one that was chosen before, and follows the system where none was. */
  apply(): void {
    const { current } = theme;
    document.documentElement.dataset.theme = current === "system" ? (dark.matches ? "dark" : "light") : current;
  },
};
dark.addEventListener("change", theme.apply);

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
