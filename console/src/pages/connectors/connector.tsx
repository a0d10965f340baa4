import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Pencil, Search, Trash2, Zap } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { connectorQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import { queryClient } from "../../api/queries.ts";
import type { Connector as ConnectorResource, ConnectorTest, Stream } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { buttonClass } from "../../components/button-class.ts";
import { CopyId } from "../../components/copy-id.tsx";
import { Confirm } from "../../components/dialog.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Page, Panel } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import styles from "./connectors.module.css";
import { Streams } from "./streams.tsx";
import { Tested } from "./tested.tsx";

const route = getRouteApi("/signed-in/connectors/$id");

/** One connector: its config, whether it can be reached, what it has. */
export function Connector() {
  const { id } = route.useParams();
  const { data, error, refetch } = useQuery(connectorQuery(id));
  if (data) return <Loaded key={id} connector={data} />;
  return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />;
}

function Loaded({ connector }: { connector: ConnectorResource }) {
  const { id, name, type, version, updated_at: updatedAt, owner } = connector;
  const [mayTest, mayWrite] = [useMay("connectors:test"), useMay("connectors:write")];
  const [tested, setTested] = useState<ConnectorTest | null>(null);
  const [streams, setStreams] = useState<readonly Stream[] | null>(null);
  const [isRemoving, setRemoving] = useState(false);
  const test = async () => setTested(await api.post<ConnectorTest>(`/v1/connectors/${id}/test`));
  const discover = async () => {
    setStreams((await api.post<{ streams: Stream[] }>(`/v1/connectors/${id}/discover`)).streams);
  };
  return (
    <Page
      title={name}
      crumbs={[
        <Link key="all" to="/connectors">
          Connectors
        </Link>,
      ]}
      lead={
        <>
          <Link to="/connectors" search={{ tab: "types", type }}>
            {type}
          </Link>
          {" · version "}
          {version}, changed <RelativeTime at={updatedAt} />
          {owner !== null && ` · team ${owner}`} · <CopyId id={id} />
        </>
      }
      actions={
        <>
          {mayWrite && (
            <Button icon={<Trash2 size={16} aria-hidden />} onPress={() => setRemoving(true)}>
              Remove
            </Button>
          )}
          {mayWrite && (
            <Link to="/connectors/$id/edit" params={{ id }} className={buttonClass()}>
              <Pencil size={16} aria-hidden />
              Edit
            </Link>
          )}
          {mayTest && (
            <Button icon={<Search size={16} aria-hidden />} onPress={discover}>
              Discover streams
            </Button>
          )}
          {mayTest && (
            <Button kind="primary" icon={<Zap size={16} aria-hidden />} onPress={test}>
              Test
            </Button>
          )}
        </>
      }
    >
      <div className={styles.parts} aria-live="polite">
        {tested && <Tested tested={tested} />}
        {streams && <Streams streams={streams} />}
      </div>
      <Panel title="Config">
        <JsonView value={connector.config} label="Config" />
        <p className="soft">Secrets are kept sealed and read as ***.</p>
      </Panel>
      <Remove connector={connector} isOpen={isRemoving} onClose={() => setRemoving(false)} />
    </Page>
  );
}

function Remove(props: { connector: ConnectorResource; isOpen: boolean; onClose: () => void }) {
  const { connector, isOpen, onClose } = props;
  const navigate = useNavigate();
  const remove = async () => {
    await api.delete(`/v1/connectors/${connector.id}`, { version: connector.version });
    await queryClient.invalidateQueries({ queryKey: ["connectors"] });
    toast.ok(`${connector.name} is removed`);
    await navigate({ to: "/connectors" });
  };
  return (
    <Confirm
      title={`Remove ${connector.name}?`}
      action="Remove"
      isDanger
      isOpen={isOpen}
      onClose={onClose}
      onConfirm={remove}
    >
      <p>Its config and its secrets are deleted. That is refused while an integration uses it.</p>
    </Confirm>
  );
}
