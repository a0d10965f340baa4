import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { queryClient, useList } from "../../api/queries.ts";
import { session } from "../../api/session.ts";
import type { ApiKey } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Confirm } from "../../components/dialog.tsx";
import { Empty, ErrorState } from "../../components/states.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import { NewKey } from "./new-key.tsx";
import styles from "./settings.module.css";

/** The one that this tab is signed in with: to revoke it would lock out who does, and the data folder's for good. */
const isOwn = ({ prefix }: ApiKey): boolean => session.key?.startsWith(prefix) ?? false;

const columns = (onRevoke: ((key: ApiKey) => void) | null): readonly Column<ApiKey>[] => [
  {
    id: "name",
    title: "Key",
    width: "minmax(140px, 2fr)",
    cell: ({ name, prefix }) => (
      <span className={styles.key}>
        <strong className="cut">{name}</strong>
        <code className="soft">{prefix}…</code>
      </span>
    ),
  },
  {
    id: "role",
    title: "Role",
    cell: ({ role, scopes }) => (scopes === null ? role : <span title={scopes.join(", ")}>{role}, narrowed</span>),
  },
  { id: "owner", title: "Team", cell: ({ owner }) => owner ?? <span className="soft">–</span> },
  { id: "used", title: "Last used", width: "104px", cell: ({ last_used_at: at }) => <RelativeTime at={at} /> },
  { id: "state", title: "State", width: "150px", cell: (key) => <State of={key} /> },
  {
    id: "revoke",
    title: "",
    width: "96px",
    cell: (key) => {
      if (isOwn(key)) return <span className="soft">yours</span>;
      if (onRevoke === null || key.revoked_at !== null) return null;
      return (
        <Button kind="danger" label={`Revoke ${key.name}`} onPress={() => onRevoke(key)}>
          Revoke
        </Button>
      );
    },
  },
];

function State({ of: { revoked_at: revoked, expires_at: expires } }: { of: ApiKey }) {
  if (revoked !== null)
    return (
      <span>
        <Badge tone="idle">revoked</Badge> <RelativeTime at={revoked} />
      </span>
    );
  if (expires === null) return <Badge tone="ok">good</Badge>;
  return (
    <span>
      {Date.parse(expires) < Date.now() ? <Badge tone="idle">expired</Badge> : "expires "}
      <RelativeTime at={expires} />
    </span>
  );
}

/** Who may call the API. */
export function Keys() {
  const list = useList<ApiKey>(["api-keys"], "/v1/api-keys");
  const mayWrite = useMay("keys:write");
  const [isMaking, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const changed = () => queryClient.invalidateQueries({ queryKey: ["api-keys"] });
  const revoke = async () => {
    await api.delete(`/v1/api-keys/${revoking?.id}`);
    toast.ok(`${revoking?.name} is revoked`, "Every node refuses it within ten seconds.");
    await changed();
  };
  if (list.error) return <ErrorState problem={list.error} onRetry={list.retry} />;
  return (
    <>
      {mayWrite && (
        <div>
          <Button kind="primary" icon={<Plus size={16} aria-hidden />} onPress={() => setMaking(true)}>
            New key
          </Button>
        </div>
      )}
      <Table
        label="API keys"
        columns={columns(mayWrite ? setRevoking : null)}
        rows={list.rows}
        rowKey={({ id }) => id}
        onEnd={list.loadMore}
        hasMore={list.hasMore}
        isLoadingMore={list.isLoadingMore}
        empty={
          <Empty title="There are no keys yet" icon={<KeyRound size={28} aria-hidden />}>
            <p>Make one for each program and each person, with no larger role than it takes.</p>
          </Empty>
        }
      />
      {isMaking && <NewKey onMade={changed} onClose={() => setMaking(false)} />}
      <Confirm
        title={`Revoke ${revoking?.name}?`}
        action="Revoke"
        isDanger
        isOpen={revoking !== null}
        onClose={() => setRevoking(null)}
        onConfirm={revoke}
      >
        <p>Whoever calls with it is refused within ten seconds. That cannot be taken back.</p>
      </Confirm>
    </>
  );
}
