import { getRouteApi } from "@tanstack/react-router";
import type { Scope } from "../../api/types.ts";
import { Page } from "../../components/page.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { useMe } from "../../layout/me.ts";
import { Audit } from "./audit.tsx";
import { Keys } from "./keys.tsx";
import { Nodes } from "./nodes.tsx";
import { Roles } from "./roles.tsx";
import type { settingsTabs } from "./search.ts";

const route = getRouteApi("/signed-in/settings");

type Tab = (typeof settingsTabs)[number];
const parts: readonly { readonly id: Tab; readonly title: string; readonly scope?: Scope }[] = [
  { id: "keys", title: "API keys", scope: "keys:read" },
  { id: "roles", title: "Roles" },
  { id: "audit", title: "Audit log", scope: "audit:read" },
  { id: "nodes", title: "Nodes", scope: "platform:read" },
];

/** Who may what, who did what, and what it runs on. */
export function Settings() {
  const { scopes } = useMe();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const allowed = parts.filter(({ scope }) => scope === undefined || scopes.includes(scope));
  const first = allowed[0]?.id ?? "roles";
  const tab = allowed.some(({ id }) => id === search.tab) ? (search.tab ?? first) : first;
  return (
    <Page title="Settings">
      <Tabs
        label="Parts of the settings"
        tabs={allowed}
        selected={tab}
        onSelect={(chosen) => void navigate({ search: { tab: chosen === first ? undefined : chosen } })}
      >
        {tab === "keys" && <Keys />}
        {tab === "roles" && <Roles />}
        {tab === "audit" && <Audit />}
        {tab === "nodes" && <Nodes />}
      </Tabs>
    </Page>
  );
}
