import { Cable, LayoutDashboard, type LucideIcon, MailWarning, Route, Settings } from "lucide-react";
import type { Scope } from "../api/types.ts";

interface Destination {
  readonly to: "/" | "/dead-letters" | "/follow" | "/connectors" | "/settings";
  readonly name: string;
  readonly icon: LucideIcon;
  /** After "g". */
  readonly key: string;
  /** Without it the page is left out. */
  readonly scope?: Scope;
}

/** The pages that the navigation leads to, in its order. */
export const navigation: readonly Destination[] = [
  { to: "/", name: "Overview", icon: LayoutDashboard, key: "o", scope: "integrations:read" },
  { to: "/dead-letters", name: "Dead letters", icon: MailWarning, key: "d", scope: "dead-letters:read" },
  { to: "/follow", name: "Follow a record", icon: Route, key: "f", scope: "dead-letters:read" },
  { to: "/connectors", name: "Connectors", icon: Cable, key: "c", scope: "connectors:read" },
  { to: "/settings", name: "Settings", icon: Settings, key: "s" },
];
