import { Link } from "@tanstack/react-router";
import { PartyPopper, RotateCcw, SearchX } from "lucide-react";
import { useMemo } from "react";
import { useList } from "../../api/queries.ts";
import type { DeadLetterGroup } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { groupColumns } from "./columns.tsx";
import { type DeadLettersSearch, type Filter, filterOf } from "./search.ts";
import { useOpen } from "./use-open.ts";

interface GroupsProps {
  readonly id: string;
  readonly search: DeadLettersSearch;
  /** Null: who is signed in may not. */
  readonly onReplay: ((filter: Filter) => void) | null;
  readonly whyNoReplay: string | null;
}

/** Those that failed alike as one row each, the most frequent first. */
export function Groups({ id, search, onReplay, whyNoReplay }: GroupsProps) {
  const open = useOpen();
  const filter = filterOf(search);
  const isResolved = search.resolved === "true";
  const query = { ...filter, ...(isResolved && { resolved: true }) };
  const list = useList<DeadLetterGroup>(
    ["dead-letters", id, "groups"],
    `/v1/integrations/${id}/dead-letter/groups`,
    query,
  );
  const filterText = JSON.stringify(filter);
  const columns = useMemo<readonly Column<DeadLetterGroup>[]>(() => {
    if (onReplay === null || isResolved) return groupColumns;
    const replay: Column<DeadLetterGroup> = {
      id: "replay",
      title: "",
      width: "32px",
      cell: ({ fingerprint, message }) => (
        <Button
          kind="quiet"
          icon={<RotateCcw size={15} aria-hidden />}
          label={`Replay all of: ${message}`}
          title="Replay this group"
          whyNot={whyNoReplay}
          onPress={() => onReplay({ ...(JSON.parse(filterText) as Filter), fingerprint })}
        />
      ),
    };
    return [...groupColumns, replay];
  }, [onReplay, whyNoReplay, isResolved, filterText]);
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <Table
      label="Groups of dead letters"
      columns={columns}
      rows={list.rows}
      rowKey={({ fingerprint }) => fingerprint}
      onOpen={({ fingerprint }) => open({ fingerprint, view: undefined })}
      onEnd={list.loadMore}
      hasMore={list.hasMore}
      isLoadingMore={list.isLoadingMore}
      empty={<NoLetters id={id} isFiltered={Object.keys(filter).length > 0} isResolved={isResolved} />}
    />
  );
}

export function NoLetters(props: { id: string; isFiltered: boolean; isResolved: boolean }) {
  const { id, isFiltered, isResolved } = props;
  if (isFiltered) {
    return (
      <Empty title="No dead letter is like this" icon={<SearchX size={28} aria-hidden />}>
        <Link to="/integrations/$id/dead-letters" params={{ id }}>
          Show all that are open
        </Link>
      </Empty>
    );
  }
  return isResolved ? (
    <Empty title="None was resolved yet" icon={<SearchX size={28} aria-hidden />}>
      <p>What a replay delivered, and what somebody discarded, is kept here.</p>
    </Empty>
  ) : (
    <Empty title="There are no dead letters" icon={<PartyPopper size={28} aria-hidden />}>
      <p>Every record was delivered, filtered, or is on its way.</p>
    </Empty>
  );
}
