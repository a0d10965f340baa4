import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useList } from "../../api/queries.ts";
import type { AuditEntry, Json } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { moment } from "../../lib/format.ts";

const Diff = lazy(() => import("../../components/diff.tsx").then(({ Diff }) => ({ default: Diff })));
const route = getRouteApi("/signed-in/settings");

const columns: readonly Column<AuditEntry>[] = [
  { id: "at", title: "When", width: "104px", cell: ({ at }) => <RelativeTime at={at} /> },
  { id: "actor", title: "Who", cell: ({ actor }) => <span title={actor}>{actor}</span> },
  { id: "action", title: "What", cell: ({ action }) => words(action) },
  { id: "of", title: "Of", cell: ({ resource_name: name }) => name ?? <span className="soft">the platform</span> },
  { id: "owner", title: "Team", wideOnly: true, cell: ({ owner }) => owner ?? <span className="soft">–</span> },
];

/** Every change: who, when, and what it was before. */
export function Audit() {
  const { actor, resource } = route.useSearch();
  const navigate = route.useNavigate();
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const list = useList<AuditEntry>(["audit-log"], "/v1/audit-log", { actor, resource_id: resource });
  const filter = (search: { actor?: string; resource?: string }) => {
    setShown(null);
    void navigate({ search: { tab: "audit", ...search } });
  };
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  const isFiltered = actor !== undefined || resource !== undefined;
  return (
    <>
      {isFiltered && (
        <Toolbar label="Filter">
          <span>{actor === undefined ? "Changes of one thing" : `Changes by ${actor}`}</span>
          <Button onPress={() => filter({})}>Show all</Button>
        </Toolbar>
      )}
      <Table
        label="Changes"
        columns={columns}
        rows={list.rows}
        rowKey={({ id }) => id}
        onOpen={setShown}
        onEnd={list.loadMore}
        hasMore={list.hasMore}
        isLoadingMore={list.isLoadingMore}
        empty={<Empty title="Nothing was changed yet" />}
      />
      <Dialog
        title={shown ? words(shown.action) : ""}
        isOpen={shown !== null}
        onClose={() => setShown(null)}
        size="large"
      >
        {shown && <Change entry={shown} onFilter={filter} />}
      </Dialog>
    </>
  );
}

function Change({
  entry,
  onFilter,
}: {
  entry: AuditEntry;
  onFilter: (by: { actor?: string; resource?: string }) => void;
}) {
  const { at, actor, request_id: request, resource_id: resource, resource_name: name, before, after } = entry;
  return (
    <>
      <p>
        {name ?? "The platform"}, {moment(at)}, by {actor}
        {request !== null && (
          <>
            , request <CopyId id={request} />
          </>
        )}
      </p>
      <Toolbar label="Other changes">
        <Button onPress={() => onFilter({ actor })}>All by {actor}</Button>
        {resource !== null && <Button onPress={() => onFilter({ resource })}>All of {name ?? "it"}</Button>}
      </Toolbar>
      <Suspense fallback={<Skeleton lines={6} />}>
        <Diff label="Before and after" before={text(before)} after={text(after)} />
      </Suspense>
    </>
  );
}

/** `api_key.revoked` as one reads it. */
const words = (action: string): string => action.replaceAll(/[._]/g, " ");

/** What was not there is nothing. */
const text = (value: Json): string => (value === null ? "" : JSON.stringify(value, null, 2));
