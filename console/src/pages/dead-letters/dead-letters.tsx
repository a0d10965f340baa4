import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { toProblem } from "../../api/problem.ts";
import { integrationQuery, liveQuery } from "../../api/queries.ts";
import type { Integration, Job } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Page } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { useMay } from "../../layout/me.ts";
import { count } from "../../lib/format.ts";
import { Filters } from "./filters.tsx";
import { Groups } from "./groups.tsx";
import { JobsUnderWay } from "./job-progress.tsx";
import { Jobs } from "./jobs.tsx";
import { LetterPage } from "./letter-page.tsx";
import { Records } from "./records.tsx";
import { Replay } from "./replay.tsx";
import { type DeadLettersSearch, type Filter, filterOf } from "./search.ts";
import { whyNoReplay } from "./why-no-replay.ts";

const route = getRouteApi("/signed-in/integrations/$id/dead-letters");

const tabs = [
  { id: "groups", title: "Groups" },
  { id: "records", title: "Records" },
  { id: "jobs", title: "Replays" },
] as const;

/** The records of an integration that could not be delivered. */
export function DeadLetters() {
  const { id } = route.useParams();
  const { letter } = route.useSearch();
  const { data, error, refetch } = useQuery(integrationQuery(id));
  if (data === undefined)
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />;
  return letter === undefined ? (
    <List integration={data} />
  ) : (
    <LetterPage key={letter} id={letter} integration={data} />
  );
}

/** What of the view is shown where the URL does not say: groups have no place for those of both states. */
const viewOf = ({ view, fingerprint, record_id, resolved }: DeadLettersSearch) =>
  view ?? (fingerprint !== undefined || record_id !== undefined || resolved === "all" ? "records" : "groups");

function List({ integration }: { readonly integration: Integration }) {
  const { id, name } = integration;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("dead-letters:write");
  const { data: live } = useQuery(liveQuery(id));
  const [replayed, replay] = useState<Filter | null>(null);
  const view = viewOf(search);
  const filter = filterOf(search);
  const isFiltered = Object.keys(filter).length > 0;
  const change = (part: Partial<DeadLettersSearch>) =>
    void navigate({ search: (former) => ({ ...former, ...part }), replace: true });
  const depth = live?.dead_letters ?? null;
  const onBegun = (job: Job) => {
    replay(null);
    change({ job: job.id });
  };
  return (
    <Page
      title={`Dead letters of ${name}`}
      badge={
        depth !== null && (
          <Badge tone={depth === 0 ? "ok" : "bad"}>{depth === 0 ? "none open" : `${count(depth)} open`}</Badge>
        )
      }
      crumbs={[
        <Link key="overview" to="/">
          Integrations
        </Link>,
        <Link key="integration" to="/integrations/$id" params={{ id }}>
          {name}
        </Link>,
      ]}
      actions={
        mayWrite &&
        view !== "jobs" &&
        search.resolved !== "true" && (
          <Button
            kind="primary"
            icon={<RotateCcw size={16} aria-hidden />}
            onPress={() => replay(filter)}
            whyNot={whyNoReplay(integration, depth)}
          >
            {isFiltered ? "Replay these" : "Replay all"}
          </Button>
        )
      }
    >
      <JobsUnderWay id={id} shown={search.job} onClose={() => change({ job: undefined })} />
      {view !== "jobs" && <Filters integration={integration} search={search} view={view} onChange={change} />}
      <Tabs label="Show" tabs={tabs} selected={view} onSelect={(chosen) => change({ view: chosen })}>
        {view === "groups" ? (
          <Groups
            id={id}
            search={search}
            onReplay={mayWrite ? replay : null}
            whyNoReplay={whyNoReplay(integration, depth)}
          />
        ) : view === "records" ? (
          <Records id={id} search={search} onChange={change} />
        ) : (
          <Jobs id={id} />
        )}
      </Tabs>
      {replayed !== null && (
        <Replay
          integration={integration}
          filter={replayed}
          title={Object.keys(replayed).length === 0 ? "Replay all dead letters" : "Replay these dead letters"}
          onClose={() => replay(null)}
          onBegun={onBegun}
        />
      )}
    </Page>
  );
}
