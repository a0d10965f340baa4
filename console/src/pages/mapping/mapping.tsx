import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Suspense } from "react";
import { toProblem } from "../../api/problem.ts";
import { integrationQuery } from "../../api/queries.ts";
import { Page, Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import { parseConfig } from "../integration/config-text.ts";
import { configurationOf, type EditedVersion } from "../integration/edited-version.ts";
import { CodeEditor } from "../integration/lazy-editors.ts";
import { Editor } from "./editor.tsx";
import { crumbs, titleOf } from "./head.tsx";
import styles from "./mapping.module.css";
import { placesOf } from "./places.ts";
import { rulesText } from "./rules-text.ts";

const route = getRouteApi("/signed-in/integrations/$id/mapping");

/** The rules of an integration, written beside a sample and what they make of it. */
export function Mapping() {
  const { id } = route.useParams();
  const mayWrite = useMay("integrations:write");
  const integration = useQuery(integrationQuery(id));
  const version = integration.data?.version;
  const { data, error, refetch } = useQuery({
    queryKey: ["configuration", id, version],
    queryFn: () => configurationOf(id),
    enabled: version !== undefined,
    // What is edited goes on while a newer version is on its way.
    placeholderData: (former) => former,
  });
  const failed = integration.error ?? error;
  if (integration.data === undefined || data === undefined) {
    if (failed === null) return <Skeleton lines={8} />;
    const retry = () => (integration.error ? integration.refetch() : refetch());
    return <ErrorState problem={toProblem(failed)} onRetry={retry} />;
  }
  const { name } = integration.data;
  return mayWrite ? (
    <Editor key={id} id={id} name={name} current={data} />
  ) : (
    <Read id={id} name={name} current={data} />
  );
}

/** For who may not change it. */
function Read({ id, name, current }: { readonly id: string; readonly name: string; readonly current: EditedVersion }) {
  const parsed = parseConfig(current.text);
  const places = "value" in parsed ? placesOf(parsed.value).filter(({ rules }) => rules !== undefined) : [];
  return (
    <Page
      title={titleOf(name)}
      crumbs={crumbs(id, name)}
      lead="Rules as they are. Who may change integrations tries them here with records."
    >
      {places.length === 0 && <Empty title="There is no mapping">Records pass as they are.</Empty>}
      {places.map(({ step, rules }) => (
        <Panel key={step} title={step}>
          <div className={styles.read}>
            <Suspense fallback={<Skeleton lines={10} />}>
              <CodeEditor label={`Rules of ${step}`} value={rulesText(rules)} isReadOnly />
            </Suspense>
          </div>
        </Panel>
      ))}
    </Page>
  );
}
