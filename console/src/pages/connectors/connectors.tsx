import { getRouteApi, Link } from "@tanstack/react-router";
import { Cable, Plus } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { Connector } from "../../api/types.ts";
import { buttonClass } from "../../components/button-class.ts";
import { SearchField } from "../../components/field.tsx";
import { Page, Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMay } from "../../layout/me.ts";
import type { ConnectorsSearch } from "./search.ts";
import { Types } from "./types.tsx";

const route = getRouteApi("/signed-in/connectors");

/** What integrations connect to, and what that can be made of. */
export function Connectors() {
  const { tab = "connectors" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page
      title="Connectors"
      actions={
        useMay("connectors:write") && (
          <Link to="/connectors/new" className={buttonClass("primary")}>
            <Plus size={16} aria-hidden />
            New connector
          </Link>
        )
      }
    >
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
    sort: { up: "name", down: "-name" },
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
  {
    id: "updated",
    title: "Changed",
    width: "110px",
    sort: { up: "updated_at", down: "-updated_at" },
    cell: ({ updated_at: at }) => <RelativeTime at={at} />,
  },
];

function List() {
  const navigate = route.useNavigate();
  const { search, sort } = route.useSearch();
  const list = useList<Connector>(["connectors"], "/v1/connectors", { search, sort });
  const change = (part: Pick<ConnectorsSearch, "search" | "sort">) =>
    void navigate({ search: (former) => ({ ...former, ...part }), replace: true });
  const found = (
    <Table
      label="Connectors"
      columns={columns}
      rows={list.rows}
      rowKey={({ id }) => id}
      sort={sort}
      onSort={(by) => change({ sort: by as ConnectorsSearch["sort"] })}
      onOpen={({ id }) => void navigate({ to: "/connectors/$id", params: { id } })}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={search === undefined ? <NoConnectors /> : <Empty title="No connector is called so" />}
    />
  );
  return (
    <>
      <Toolbar label="Filter">
        <SearchField
          label="Search by name"
          value={search ?? ""}
          onChange={(typed) => change({ search: typed || undefined })}
        />
      </Toolbar>
      {list.error ? <ErrorState problem={list.error} onRetry={list.retry} /> : found}
    </>
  );
}

const NoConnectors = () => (
  <Empty title="There are no connectors yet" icon={<Cable size={28} aria-hidden />}>
    <p>A connector is a system that integrations read from and write to, with what it takes to reach it.</p>
  </Empty>
);
