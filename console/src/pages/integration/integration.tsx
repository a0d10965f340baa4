import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useIntegrationEvents } from "../../api/live.ts";
import { toProblem } from "../../api/problem.ts";
import { integrationQuery, liveQuery } from "../../api/queries.ts";
import type { Integration as IntegrationResource } from "../../api/types.ts";
import { Status } from "../../components/badge.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { Page } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMay } from "../../layout/me.ts";
import { countOf } from "../../lib/format.ts";
import { Actions } from "./actions.tsx";
import { Configuration } from "./configuration.tsx";
import { Health } from "./health.tsx";
import styles from "./integration.module.css";
import { LedgerTab } from "./ledger.tsx";
import { Now } from "./now.tsx";
import { Runs } from "./runs.tsx";
import { Schedule } from "./schedule.tsx";
import { Versions } from "./versions.tsx";

const route = getRouteApi("/signed-in/integrations/$id");

/** One integration: what it does now, what it did, and how it is configured. */
export function Integration() {
  const { id } = route.useParams();
  useIntegrationEvents(id);
  const { data, error, refetch } = useQuery(integrationQuery(id));
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />;
  }
  return <Loaded key={id} integration={data} />;
}

function Loaded({ integration }: { readonly integration: IntegrationResource }) {
  const { id, name, enabled, health, health_reason: reason } = integration;
  const { tab = "now" } = route.useSearch();
  const navigate = route.useNavigate();
  const mayReadRuns = useMay("runs:read");
  const { data: live } = useQuery(liveQuery(id));
  const deadLetters = live?.dead_letters ?? 0;
  const tabs = [
    { id: "now", title: "Now" },
    ...(mayReadRuns ? [{ id: "runs", title: "Runs" } as const] : []),
    ...(mayReadRuns ? [{ id: "ledger", title: "Ledger" } as const] : []),
    { id: "versions", title: "Versions" },
    { id: "schedule", title: "Schedule" },
    { id: "configuration", title: "Configuration" },
  ] as const;
  return (
    <Page
      title={name}
      badge={<Status of={enabled ? health : "disabled"} title={reason} />}
      crumbs={[
        <Link key="overview" to="/">
          Integrations
        </Link>,
      ]}
      actions={<Actions integration={integration} isRunning={live?.run_id != null} />}
      lead={<Facts integration={integration} deadLetters={deadLetters} />}
    >
      <Health integration={integration} live={live} />
      <Tabs
        label="Parts of this integration"
        tabs={tabs}
        selected={tab}
        onSelect={(chosen) => void navigate({ search: { tab: chosen === "now" ? undefined : chosen } })}
      >
        {tab === "now" && <Now integration={integration} />}
        {tab === "runs" && <Runs id={id} />}
        {tab === "ledger" && <LedgerTab id={id} />}
        {tab === "versions" && <Versions id={id} current={integration.version} />}
        {tab === "schedule" && <Schedule integration={integration} />}
        {tab === "configuration" && <Configuration integration={integration} />}
      </Tabs>
    </Page>
  );
}

const tiers = {
  synced: "every confirmed batch is on the disk",
  replicated: "every confirmed batch is on most of its servers",
  server: "as the NATS server is configured",
};

function Facts({
  integration,
  deadLetters,
}: {
  readonly integration: IntegrationResource;
  readonly deadLetters: number;
}) {
  const { id, version, metadata, durability, updated_at: at, next_fire_at: fire } = integration;
  return (
    <span className={styles.facts}>
      <span>
        id <CopyId id={id} />
      </span>
      {metadata?.owner && <span>owner {metadata.owner}</span>}
      <span>
        version {version}, changed <RelativeTime at={at} />
      </span>
      {fire !== null && (
        <span>
          fires <RelativeTime at={fire} />
        </span>
      )}
      <span title={tiers[durability.tier]}>
        {durability.tier}
        {durability.copies > 1 && `, ${durability.copies} copies`}
      </span>
      {deadLetters > 0 && <span className={styles.bad}>{countOf(deadLetters, "dead letter")}</span>}
      {metadata?.description && <span className={styles.description}>{metadata.description}</span>}
    </span>
  );
}
