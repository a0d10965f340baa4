import { createContext, use } from "react";
import type { Me, Scope } from "../api/types.ts";

export const MeContext = createContext<Me | null>(null);

/** Who is signed in. */
export function useMe(): Me {
  const me = use(MeContext);
  if (me === null) throw new Error("used outside of the layout");
  return me;
}

/** Whether who is signed in may do this: what would be refused is not offered. */
export const useMay = (scope: Scope): boolean => useMe().scopes.includes(scope);
