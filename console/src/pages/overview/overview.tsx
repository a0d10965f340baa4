import { getRouteApi, Link } from "@tanstack/react-router";
import { Boxes, Plus } from "lucide-react";
import type { Page as ListPage } from "../../api/client.ts";
import { useList } from "../../api/queries.ts";
import type { OverviewItem, OverviewTotals } from "../../api/types.ts";
import { buttonClass } from "../../components/button-class.ts";
import { SearchField, SelectField } from "../../components/field.tsx";
import { Page, Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { Table } from "../../components/table.tsx";
import { useMay } from "../../layout/me.ts";
import { columns } from "./columns.tsx";
import { Totals } from "./totals.tsx";

const route = getRouteApi("/signed-in/");

type OverviewPage = ListPage<OverviewItem> & { readonly totals: OverviewTotals };

const states = [
  { id: "all", label: "All" },
  { id: "stopped", label: "Stopped" },
  { id: "degraded", label: "Degraded" },
  { id: "waiting", label: "Waiting" },
  { id: "ok", label: "Healthy" },
  { id: "disabled", label: "Disabled" },
] as const;
type State = (typeof states)[number]["id"];

/** All integrations, what needs attention first. */
export function Overview() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("integrations:write");
  const list = useList<OverviewItem, OverviewPage>(["overview"], "/v1/overview", filter);
  const change = (part: Partial<typeof filter>) =>
    void navigate({ search: (former) => ({ ...former, ...part }), replace: true });
  const choose = (state: State) => {
    const health = state === "all" || state === "disabled" ? undefined : state;
    change({ health, enabled: state === "all" ? undefined : state === "disabled" ? "false" : "true" });
  };
  const chosen: State = filter.health ?? (filter.enabled === "false" ? "disabled" : "all");
  const totals = list.first?.totals;
  const isFiltered = chosen !== "all" || filter.search !== undefined;
  return (
    <Page title="Overview" actions={mayWrite && <NewIntegration />}>
      {totals && totals.integrations > 0 && (
        <>
          <Totals totals={totals} />
          <Toolbar label="Filter">
            <SearchField
              label="Search by name"
              value={filter.search ?? ""}
              onChange={(search) => change({ search: search || undefined })}
            />
            <SelectField isInline label="State" options={states} value={chosen} onChange={choose} />
          </Toolbar>
        </>
      )}
      {list.error ? (
        <ErrorState problem={list.error} onRetry={list.retry} />
      ) : (
        <Table
          label="Integrations"
          columns={columns}
          rows={list.rows}
          rowKey={({ id }) => id}
          sort={filter.sort ?? "attention"}
          onSort={(sort) => change({ sort: sort === "attention" ? undefined : sort })}
          onOpen={({ id }) => void navigate({ to: "/integrations/$id", params: { id } })}
          onEnd={list.loadMore}
          hasMore={list.hasMore}
          isLoadingMore={list.isLoadingMore}
          empty={isFiltered ? <NothingFound /> : <NoIntegrations />}
        />
      )}
    </Page>
  );
}

const NothingFound = () => (
  <Empty title="No integration is like this">Search for another name, or show all states.</Empty>
);

function NoIntegrations() {
  return (
    <Empty title="There are no integrations yet" icon={<Boxes size={28} aria-hidden />}>
      <p>An integration reads from a source, maps records and delivers them.</p>
      {useMay("integrations:write") && <NewIntegration />}
      <p>
        Or describe some in a file, and <code>npx sluice apply FILE</code>.
      </p>
    </Empty>
  );
}

const NewIntegration = () => (
  <Link to="/new" className={buttonClass("primary")}>
    <Plus size={16} aria-hidden />
    New integration
  </Link>
);
