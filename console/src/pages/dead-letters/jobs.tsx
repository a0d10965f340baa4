import { getRouteApi, Link } from "@tanstack/react-router";
import { History } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { Job } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { Elapsed, RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import styles from "./dead-letters.module.css";
import { optionsText } from "./job-progress.tsx";

const route = getRouteApi("/signed-in/integrations/$id/dead-letters");

const columns: readonly Column<Job>[] = [
  { id: "begun", title: "Begun", width: "minmax(88px, 1fr)", cell: ({ created_at: at }) => <RelativeTime at={at} /> },
  {
    id: "status",
    title: "Status",
    width: "108px",
    cell: ({ status, error }) => <Status of={status} title={error?.message ?? null} />,
  },
  { id: "by", title: "By", width: "minmax(88px, 1fr)", cell: ({ created_by: by }) => by ?? "–" },
  { id: "how", title: "How", width: "minmax(160px, 2fr)", cell: ({ options }) => optionsText(options) },
  {
    id: "took",
    title: "Took",
    width: "88px",
    align: "end",
    cell: ({ created_at: from, finished_at: to }) => <Elapsed from={from} to={to} />,
  },
  { id: "done", title: "Done", width: "88px", align: "end", cell: ({ progress }) => count(progress.done) },
  { id: "passed", title: "Delivered", width: "88px", align: "end", cell: ({ progress }) => count(progress.passed) },
  {
    id: "failed",
    title: "Failed",
    width: "88px",
    align: "end",
    cell: ({ progress }) => <span className={progress.failed > 0 ? styles.bad : "soft"}>{count(progress.failed)}</span>,
  },
];

/** All replays that there were, the newest first. */
export function Jobs({ id }: { readonly id: string }) {
  const navigate = route.useNavigate();
  const { job } = route.useSearch();
  const list = useList<Job>(["jobs", id], `/v1/integrations/${id}/jobs`);
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <Table
      label="Replays"
      columns={columns}
      rows={list.rows}
      rowKey={(row) => row.id}
      isSelected={(row) => row.id === job}
      onOpen={(row) => void navigate({ search: (former) => ({ ...former, job: row.id }), replace: true })}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={
        <Empty title="Nothing was replayed yet" icon={<History size={28} aria-hidden />}>
          <p>
            Choose{" "}
            <Link to="/integrations/$id/dead-letters" params={{ id }}>
              dead letters
            </Link>{" "}
            and replay them: how far that is stands here.
          </p>
        </Empty>
      }
    />
  );
}
