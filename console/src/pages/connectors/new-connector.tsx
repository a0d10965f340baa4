import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { typesQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import type { Connector, ConnectorType } from "../../api/types.ts";
import { buttonClass } from "../../components/button-class.ts";
import { Page, Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import type { ConnectorDraft } from "./connector-draft.ts";
import { ConnectorForm } from "./connector-form.tsx";
import styles from "./connectors.module.css";
import { TypeChoice } from "./type-choice.tsx";

const route = getRouteApi("/signed-in/connectors/new");

/** Makes a connector: its type, then the form that the type asks for. */
export function NewConnector() {
  const { type: chosen } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, refetch } = useQuery(typesQuery);
  const type = data?.items.find((each) => each.type === chosen);
  return (
    <Page
      title="New connector"
      crumbs={[
        <Link key="all" to="/connectors">
          Connectors
        </Link>,
      ]}
    >
      {!useMay("connectors:write") ? (
        <Empty title="Your role may not make connectors" />
      ) : error ? (
        <ErrorState problem={toProblem(error)} onRetry={refetch} />
      ) : data === undefined ? (
        <Skeleton lines={8} />
      ) : (
        <>
          <Panel>
            <TypeChoice
              label="What does it connect to?"
              types={data.items}
              value={type?.type ?? null}
              onChange={(id) => void navigate({ search: { type: id }, replace: true })}
            />
          </Panel>
          {type && <Form key={type.type} type={type} />}
        </>
      )}
    </Page>
  );
}

function Form({ type }: { readonly type: ConnectorType }) {
  const navigate = route.useNavigate();
  const [draft, setDraft] = useState<ConnectorDraft>({ name: "", config: {} });
  const [saved, setSaved] = useState<Connector | null>(null);
  return (
    <Panel title={type.title}>
      <div className={styles.narrow}>
        <p className="soft">{type.description}</p>
        <ConnectorForm
          type={type}
          connector={null}
          draft={draft}
          onDraft={setDraft}
          onSaved={(connector, tested) => {
            setSaved(connector);
            if (tested?.status !== "failed") void navigate({ to: "/connectors/$id", params: { id: connector.id } });
          }}
        >
          {saved === null ? (
            <Link to="/connectors" className={buttonClass()}>
              Cancel
            </Link>
          ) : (
            <Link to="/connectors/$id" params={{ id: saved.id }} className={buttonClass()}>
              Leave it as it is
            </Link>
          )}
        </ConnectorForm>
      </div>
    </Panel>
  );
}
