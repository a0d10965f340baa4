import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Suspense } from "react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import { useList } from "../../api/queries.ts";
import type { IntegrationBody, IntegrationVersion } from "../../api/types.ts";
import { SelectField } from "../../components/field.tsx";
import { Panel, Toolbar } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { configText } from "./config-text.ts";
import styles from "./integration.module.css";
import { Diff } from "./lazy-editors.ts";

const route = getRouteApi("/signed-in/integrations/$id");

const columns: readonly Column<IntegrationVersion>[] = [
  { id: "version", title: "Version", width: "64px", cell: ({ version }) => <strong>{version}</strong> },
  { id: "at", title: "Made", width: "minmax(0, 1fr)", cell: ({ created_at: at }) => <RelativeTime at={at} /> },
  {
    id: "by",
    title: "By",
    width: "minmax(0, 1.4fr)",
    cell: ({ created_by: by }) => by ?? <span className="soft">–</span>,
  },
  { id: "state", title: "State", width: "72px", cell: ({ enabled }) => (enabled ? "enabled" : "disabled") },
];

/** All versions that there were, and what is different between two of them. */
export function Versions({ id, current }: { readonly id: string; readonly current: number }) {
  const { from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList<IntegrationVersion>(["versions", id, String(current)], `/v1/integrations/${id}/versions`);
  const after = numberOf(to) ?? current;
  const before = numberOf(from) ?? after - 1;
  const compare = (part: { from?: string | undefined; to?: string | undefined }) =>
    void navigate({ search: (former) => ({ ...former, ...part }), replace: true });
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  if (list.rows === undefined) return <Skeleton lines={8} />;
  const options = list.rows.map(({ version }) => ({ id: String(version), label: `Version ${version}` }));
  return (
    <div className={styles.compare}>
      <div className={styles.list}>
        <Table
          label="Versions"
          columns={columns}
          rows={list.rows}
          rowKey={({ version }) => String(version)}
          onOpen={({ version }) => compare({ to: String(version), from: undefined })}
          isSelected={({ version }) => version === after}
          onEnd={list.loadMore}
          hasMore={list.hasMore}
          isLoadingMore={list.isLoadingMore}
          empty={<Empty title="There are no versions" />}
        />
      </div>
      <Panel title={before < 1 ? `Version ${after}` : `What version ${after} changed`}>
        <Comparison id={id} before={before} after={after} options={options} onChange={compare} />
      </Panel>
    </div>
  );
}

interface ComparisonProps {
  readonly id: string;
  readonly before: number;
  readonly after: number;
  readonly options: readonly { readonly id: string; readonly label: string }[];
  readonly onChange: (part: { from?: string; to?: string }) => void;
}

function Comparison({ id, before, after, options, onChange }: ComparisonProps) {
  const former = useVersion(id, before);
  const latter = useVersion(id, after);
  const error = former.error ?? latter.error;
  return (
    <>
      <Toolbar label="Versions to compare">
        <SelectField
          label="From"
          options={options}
          value={before < 1 ? null : String(before)}
          placeholder="Nothing before"
          onChange={(from) => onChange({ from })}
        />
        <SelectField label="To" options={options} value={String(after)} onChange={(to) => onChange({ to })} />
      </Toolbar>
      {error !== null ? (
        <ErrorState problem={toProblem(error)} />
      ) : former.text === undefined || latter.text === undefined ? (
        <Skeleton lines={8} />
      ) : former.text === latter.text ? (
        <p className="soft">They are the same.</p>
      ) : (
        <Suspense fallback={<Skeleton lines={8} />}>
          <Diff label={`What version ${after} changed of version ${before}`} before={former.text} after={latter.text} />
        </Suspense>
      )}
    </>
  );
}

/** A version never changes. Before the first there was nothing. */
function useVersion(id: string, version: number) {
  const { data, error } = useQuery({
    queryKey: ["version", id, version],
    queryFn: ({ signal }) =>
      api.get<IntegrationVersion & IntegrationBody>(`/v1/integrations/${id}/versions/${version}`, {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: version >= 1,
  });
  return { text: version < 1 ? "" : data && configText({ ...data }), error: version < 1 ? null : error };
}

const numberOf = (text: string | undefined): number | undefined =>
  /^\d{1,9}$/.test(text ?? "") ? Number(text) : undefined;
