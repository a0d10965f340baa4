import { useQuery } from "@tanstack/react-query";
import { api, type Page } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import type { Node } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { bytes, rate } from "../../lib/format.ts";
import styles from "./settings.module.css";

const dash = <span className="soft">–</span>;

const columns: readonly Column<Node>[] = [
  {
    id: "id",
    title: "Node",
    width: "minmax(150px, 1fr)",
    cell: ({ id, version }) => (
      <span>
        <CopyId id={id} /> <span className="soft">{version}</span>
      </span>
    ),
  },
  {
    id: "state",
    title: "State",
    width: "minmax(110px, 1fr)",
    cell: ({ state, reasons }) => (
      <span className={styles.nodeState}>
        <Status of={state} />
        {reasons.map((reason) => (
          <span key={reason} className="soft">
            {reason}
          </span>
        ))}
      </span>
    ),
  },
  { id: "since", title: "Up since", width: "96px", cell: ({ started_at: at }) => <RelativeTime at={at} /> },
  { id: "owned", title: "Integrations", width: "88px", align: "end", cell: ({ integrations }) => integrations ?? dash },
  { id: "runs", title: "Runs", width: "56px", align: "end", cell: ({ runs }) => runs ?? dash },
  {
    id: "rate",
    title: "In/s, out/s",
    width: "104px",
    align: "end",
    cell: ({ records_in_per_second: read, records_out_per_second: out }) =>
      read === null || out === null ? dash : `${rate(read)}, ${rate(out)}`,
  },
  {
    id: "memory",
    title: "Memory",
    width: "84px",
    align: "end",
    cell: ({ memory }) =>
      memory === null ? (
        dash
      ) : (
        <span title={`heap ${bytes(memory.heap_used_bytes)} of ${bytes(memory.heap_limit_bytes)}`}>
          {bytes(memory.rss_bytes)}
        </span>
      ),
  },
  {
    id: "lag",
    title: "Event loop, p99",
    width: "104px",
    align: "end",
    cell: ({ event_loop_lag: lag }) => (lag === null ? dash : `${lag.p99_ms.toFixed(1)} ms`),
  },
  {
    id: "servers",
    title: "NATS, Postgres",
    width: "minmax(150px, 1fr)",
    cell: ({ nats, postgres }) => (nats === null || postgres === null ? dash : `${word(nats)}, ${word(postgres)}`),
  },
];

const word = ({ connected, reason }: { connected: boolean; reason: string | null }) =>
  connected ? "connected" : (reason ?? "away");

const tiers = {
  synced: "Every confirmed batch is fsynced on one server.",
  replicated: "Every confirmed batch is on the disks of most of its servers.",
  server: "A confirmed batch is as safe as the NATS server that is used is configured.",
};

/** The servers that carry integrations out, as each says of itself. */
export function Nodes() {
  const { data, error, refetch } = useQuery({
    queryKey: ["nodes"],
    queryFn: ({ signal }) => api.get<Page<Node>>("/v1/nodes", {}, signal),
  });
  if (error) return <ErrorState problem={toProblem(error)} onRetry={refetch} />;
  const durability = data?.items.find((node) => node.durability !== null)?.durability;
  return (
    <>
      {durability && (
        <p className="soft">
          Durability: <strong>{durability.tier}</strong>
          {durability.copies > 1 && `, ${durability.copies} copies`}. {tiers[durability.tier]}
        </p>
      )}
      <Table
        label="Nodes"
        columns={columns}
        rows={data?.items}
        rowKey={({ id }) => id}
        empty={<Empty title="No node answers" />}
      />
    </>
  );
}
