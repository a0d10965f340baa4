import { getRouteApi, Link } from "@tanstack/react-router";
import { PartyPopper } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { OverviewItem } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { SearchField } from "../../components/field.tsx";
import { Page, Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import styles from "./dead-letters.module.css";

const route = getRouteApi("/signed-in/dead-letters");

const columns: readonly Column<OverviewItem>[] = [
  {
    id: "name",
    title: "Integration",
    width: "minmax(160px, 2fr)",
    cell: ({ id, name }) => (
      <Link to="/integrations/$id/dead-letters" params={{ id }}>
        {name}
      </Link>
    ),
  },
  {
    id: "depth",
    title: "Dead letters",
    width: "112px",
    align: "end",
    cell: ({ live }) => <strong>{count(live.dead_letters ?? 0)}</strong>,
  },
  {
    id: "health",
    title: "Health",
    width: "112px",
    cell: ({ enabled, health, health_reason: reason }) => (
      <Status of={enabled ? health : "disabled"} title={enabled ? reason : null} />
    ),
  },
  { id: "version", title: "Version", width: "72px", align: "end", cell: ({ version }) => version },
  { id: "changed", title: "Changed", width: "96px", cell: ({ updated_at: at }) => <RelativeTime at={at} /> },
  {
    id: "run",
    title: "Last run",
    width: "minmax(180px, 1fr)",
    cell: ({ last_run: run }) =>
      run === null ? (
        <span className="soft">–</span>
      ) : (
        <span className={styles.run}>
          <Status of={run.status} /> <RelativeTime at={run.started_at} />
        </span>
      ),
  },
];

/** All integrations that have dead letters, those with most of them first. */
export function DeadLettersEverywhere() {
  const { search } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList<OverviewItem>(["overview", "dead-letters"], "/v1/overview", {
    dead_letters: true,
    sort: "dead_letters",
    search,
  });
  return (
    <Page title="Dead letters" lead="Records that could not be delivered and wait for somebody, by integration.">
      {(search !== undefined || (list.rows?.length ?? 0) > 0) && (
        <Toolbar label="Filter">
          <SearchField
            label="Search by name"
            value={search ?? ""}
            onChange={(text) => void navigate({ search: { search: text || undefined }, replace: true })}
          />
        </Toolbar>
      )}
      {list.error ? (
        <ErrorState problem={list.error} onRetry={list.retry} />
      ) : (
        <Table
          label="Integrations with dead letters"
          columns={columns}
          rows={list.rows}
          rowKey={({ id }) => id}
          onOpen={({ id }) => void navigate({ to: "/integrations/$id/dead-letters", params: { id } })}
          onEnd={list.loadMore}
          hasMore={list.hasMore}
          isLoadingMore={list.isLoadingMore}
          empty={
            search === undefined ? (
              <Empty title="There are no dead letters" icon={<PartyPopper size={28} aria-hidden />}>
                <p>Every record was delivered, filtered, or is on its way.</p>
              </Empty>
            ) : (
              <Empty title="No integration of this name has dead letters" />
            )
          }
        />
      )}
    </Page>
  );
}
