import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { typesQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import type { ConnectorType, Json } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import styles from "./connectors.module.css";

const route = getRouteApi("/signed-in/connectors");

const columns: readonly Column<ConnectorType>[] = [
  {
    id: "title",
    title: "Type",
    width: "minmax(180px, 1fr)",
    cell: ({ type, title, plugin }) => (
      <span className={styles.type}>
        <strong>{title}</strong> <code>{type}</code>
        {plugin !== null && <Badge tone="idle">plugin {plugin}</Badge>}
      </span>
    ),
  },
  { id: "version", title: "Versions", width: "110px", cell: ({ versions }) => versions.join(", ") },
  { id: "can", title: "Can", width: "minmax(200px, 1fr)", cell: (type) => <Can of={type} /> },
  {
    id: "description",
    title: "What it is",
    width: "minmax(0, 2fr)",
    wideOnly: true,
    cell: ({ description }) => <span className={`soft ${styles.description}`}>{description}</span>,
  },
];

/** The registry: all types that connectors can be made of. */
export function Types() {
  const { type: shown } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, refetch } = useQuery(typesQuery);
  const show = (type?: string) => void navigate({ search: { tab: "types", type } });
  if (error) return <ErrorState problem={toProblem(error)} onRetry={refetch} />;
  return (
    <>
      <Table
        label="Types of connectors"
        columns={columns}
        rows={data?.items}
        rowKey={({ type }) => type}
        onOpen={({ type }) => show(type)}
        empty={<Empty title="There are no types" />}
      />
      <Detail type={data?.items.find(({ type }) => type === shown)} onClose={() => show()} />
    </>
  );
}

function Detail({ type, onClose }: { type: ConnectorType | undefined; onClose: () => void }) {
  return (
    <Dialog title={type?.title ?? ""} isOpen={type !== undefined} onClose={onClose} size="large">
      {type && (
        <div className={styles.detail}>
          <p>{type.description}</p>
          <Can of={type} />
          <h3>What its config takes (JSON Schema)</h3>
          <JsonView value={type.config} label={`Config of ${type.type}`} />
        </div>
      )}
    </Dialog>
  );
}

/** Sources by their modes, destinations by theirs, look-ups. */
function Can({ of: { capabilities } }: { of: ConnectorType }) {
  const { source, destination, lookup } = capabilities;
  const can = [
    ...(source ? [`read: ${modes(source)}`] : []),
    ...(destination ? [`write: ${modes(destination)}`] : []),
    ...(lookup ? ["look up"] : []),
  ];
  return <span className={styles.can}>{can.join(" · ") || "–"}</span>;
}

function modes(capability: Json): string {
  const listed = (capability as { readonly modes?: unknown }).modes;
  return Array.isArray(listed) ? listed.join(", ") : "yes";
}
