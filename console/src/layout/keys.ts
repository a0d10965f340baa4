import { useEffect } from "react";

/** A key, or two in a row ("g o"). */
export type Keys = Readonly<Record<string, () => void>>;

const pauseMs = 1200;

/** What keys do wherever nobody types. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    let former = "";
    let forget: ReturnType<typeof setTimeout> | undefined;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const act = keys[`${former} ${event.key}`] ?? keys[event.key];
      clearTimeout(forget);
      former = act === undefined ? event.key : "";
      forget = setTimeout(() => {
        former = "";
      }, pauseMs);
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKeyDown);
    return () => {
      removeEventListener("keydown", onKeyDown);
      clearTimeout(forget);
    };
  }, [keys]);
}

/** Also in a dialog, whose keys are its own. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.closest("input, textarea, select, [role=dialog], [role=listbox]") !== null);
