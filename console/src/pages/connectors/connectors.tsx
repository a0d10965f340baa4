import { getRouteApi, Link } from "@tanstack/react-router";
import { Cable } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { Connector } from "../../api/types.ts";
import { Page } from "../../components/page.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { Types } from "./types.tsx";

const route = getRouteApi("/signed-in/connectors");

/** What integrations connect to, and what that can be made of. */
export function Connectors() {
  const { tab = "connectors" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title="Connectors">
      <Tabs
        label="Connectors and their types"
        tabs={[
          { id: "connectors", title: "Connectors" },
          { id: "types", title: "Types" },
        ]}
        selected={tab}
        onSelect={(chosen) => void navigate({ search: { tab: chosen === "types" ? chosen : undefined } })}
      >
        {tab === "types" ? <Types /> : <List />}
      </Tabs>
    </Page>
  );
}

const columns: readonly Column<Connector>[] = [
  {
    id: "name",
    title: "Connector",
    width: "minmax(160px, 2fr)",
    cell: ({ id, name }) => (
      <Link to="/connectors/$id" params={{ id }}>
        {name}
      </Link>
    ),
  },
  {
    id: "type",
    title: "Type",
    cell: ({ type }) => (
      <Link to="/connectors" search={{ tab: "types", type }}>
        {type}
      </Link>
    ),
  },
  { id: "owner", title: "Team", cell: ({ owner }) => owner ?? <span className="soft">–</span> },
  { id: "version", title: "Version", width: "72px", align: "end", cell: ({ version }) => version },
  { id: "updated", title: "Changed", width: "110px", cell: ({ updated_at: at }) => <RelativeTime at={at} /> },
];

function List() {
  const navigate = route.useNavigate();
  const list = useList<Connector>(["connectors"], "/v1/connectors");
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <Table
      label="Connectors"
      columns={columns}
      rows={list.rows}
      rowKey={({ id }) => id}
      onOpen={({ id }) => void navigate({ to: "/connectors/$id", params: { id } })}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={
        <Empty title="There are no connectors yet" icon={<Cable size={28} aria-hidden />}>
          <p>A connector is a system that integrations read from and write to, with what it takes to reach it.</p>
        </Empty>
      }
    />
  );
}
