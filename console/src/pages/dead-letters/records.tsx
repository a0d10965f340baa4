import { useList } from "../../api/queries.ts";
import type { DeadLetter } from "../../api/types.ts";
import { ErrorState } from "../../components/states.tsx";
import { Table } from "../../components/table.tsx";
import { recordColumns } from "./columns.tsx";
import { NoLetters } from "./groups.tsx";
import { type DeadLettersSearch, filterOf } from "./search.ts";
import { useOpen } from "./use-open.ts";

interface RecordsProps {
  readonly id: string;
  readonly search: DeadLettersSearch;
  readonly onChange: (part: Partial<DeadLettersSearch>) => void;
}

/** Dead letters one by one, however many: only those in sight are in the page. */
export function Records({ id, search, onChange }: RecordsProps) {
  const open = useOpen();
  const { resolved = "false", sort } = search;
  const filter = filterOf(search);
  const list = useList<DeadLetter>(["dead-letters", id, "records"], `/v1/integrations/${id}/dead-letter`, {
    ...filter,
    limit: 500,
    sort,
    resolved: resolved === "all" ? undefined : resolved,
  });
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <Table
      label="Dead letters"
      columns={recordColumns}
      rows={list.rows}
      rowKey={(letter) => letter.id}
      onOpen={(letter) => open({ letter: letter.id })}
      {...(sort !== undefined && { sort })}
      onSort={(by) => onChange({ sort: by as "last_attempted_at" })}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={<NoLetters id={id} isFiltered={Object.keys(filter).length > 0} isResolved={resolved !== "false"} />}
    />
  );
}
