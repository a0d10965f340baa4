import { PartyPopper } from "lucide-react";
import { useList } from "../../api/queries.ts";
import type { DeadLetterGroup, RunDetail } from "../../api/types.ts";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import { DeadLettersLink } from "../integration/dead-letters-link.tsx";

const where = ({ step, destination, rule }: DeadLetterGroup): string => {
  const place = step === null ? `destination ${destination ?? "?"}` : `step ${step}`;
  return rule === null ? place : `${place}, rule ${rule}`;
};

/** What failed in a run, alike as one row each, the most frequent first. */
export function Errors({ run }: { readonly run: RunDetail }) {
  const list = useList<DeadLetterGroup>(
    ["dead-letters", run.integration_id, "run", run.id],
    `/v1/runs/${run.id}/errors`,
  );
  const columns: readonly Column<DeadLetterGroup>[] = [
    {
      id: "message",
      title: "Error",
      width: "minmax(0, 3fr)",
      cell: ({ message }) => <span title={message}>{message}</span>,
    },
    { id: "code", title: "Code", width: "168px", cell: ({ code }) => <code>{code}</code> },
    { id: "where", title: "Where", width: "minmax(0, 1fr)", cell: where },
    { id: "last", title: "Last", width: "96px", cell: ({ last_attempted_at: at }) => <RelativeTime at={at} /> },
    {
      id: "count",
      title: "Records",
      width: "96px",
      align: "end",
      cell: ({ count: records, fingerprint }) => (
        <DeadLettersLink id={run.integration_id} filter={{ run_id: run.id, fingerprint, resolved: "all" }}>
          {count(records)}
        </DeadLettersLink>
      ),
    },
  ];
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <Table
      label="Errors of this run"
      columns={columns}
      rows={list.rows}
      rowKey={({ fingerprint }) => fingerprint}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={
        run.status === "failed" ? (
          <Empty title="No record failed in this run">
            <p>The run itself did: the reason stands above.</p>
          </Empty>
        ) : (
          <Empty title="No record failed in this run" icon={<PartyPopper size={28} aria-hidden />} />
        )
      }
    />
  );
}
