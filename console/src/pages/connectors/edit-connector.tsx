import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { connectorQuery, typeQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import type { Connector, ConnectorType } from "../../api/types.ts";
import { buttonClass } from "../../components/button-class.ts";
import { Page, Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import type { ConnectorDraft } from "./connector-draft.ts";
import { ConnectorForm } from "./connector-form.tsx";
import styles from "./connectors.module.css";

const route = getRouteApi("/signed-in/connectors/$id/edit");

/** Changes a connector. */
export function EditConnector() {
  const { id } = route.useParams();
  const mayWrite = useMay("connectors:write");
  const connector = useQuery(connectorQuery(id));
  const type = useQuery({ ...typeQuery(connector.data?.type ?? ""), enabled: connector.data !== undefined });
  const error = connector.error ?? type.error;
  if (!mayWrite) return <Empty title="Your role may not change connectors" />;
  if (connector.data && type.data) return <Loaded key={id} connector={connector.data} type={type.data} />;
  if (!error) return <Skeleton lines={8} />;
  return <ErrorState problem={toProblem(error)} onRetry={() => Promise.all([connector.refetch(), type.refetch()])} />;
}

function Loaded({ connector, type }: { readonly connector: Connector; readonly type: ConnectorType }) {
  const { id, name } = connector;
  const navigate = useNavigate();
  // What it was when the form was opened: a save changes this version or nothing.
  const [base] = useState(connector);
  const [draft, setDraft] = useState<ConnectorDraft>({ name, config: connector.config });
  return (
    <Page
      title={`Edit ${base.name}`}
      crumbs={[
        <Link key="all" to="/connectors">
          Connectors
        </Link>,
        <Link key="this" to="/connectors/$id" params={{ id }}>
          {base.name}
        </Link>,
      ]}
      lead={`${type.title}. What uses it goes on with the new settings within seconds.`}
    >
      <Panel>
        <div className={styles.narrow}>
          <ConnectorForm
            type={type}
            connector={base}
            draft={draft}
            onDraft={setDraft}
            onSaved={(_, tested) => {
              if (tested?.status !== "failed") void navigate({ to: "/connectors/$id", params: { id } });
            }}
          >
            <Link to="/connectors/$id" params={{ id }} className={buttonClass()}>
              Cancel
            </Link>
          </ConnectorForm>
        </div>
      </Panel>
    </Page>
  );
}
