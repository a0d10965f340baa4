import { oneOf, type Search, text } from "../../lib/search.ts";

export const settingsTabs = ["keys", "roles", "audit", "nodes"] as const;

/** What the URL of the settings holds. */
export interface SettingsSearch {
  tab?: (typeof settingsTabs)[number] | undefined;
  /** Of the audit log. */
  actor?: string | undefined;
  resource?: string | undefined;
}

export const settingsSearch = (search: Search): SettingsSearch => ({
  tab: oneOf(search.tab, settingsTabs),
  actor: text(search.actor),
  resource: text(search.resource),
});
