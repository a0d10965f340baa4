import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ExternalLink, Route, SearchX } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import { useList } from "../../api/queries.ts";
import type { Followed, FollowedRecord, Integration } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CopyId } from "../../components/copy-id.tsx";
import { SelectField, TextField } from "../../components/field.tsx";
import { Page, Panel } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { RelativeTime } from "../../components/time.tsx";
import { useMe } from "../../layout/me.ts";
import { count } from "../../lib/format.ts";
import { traceUrl } from "../run/run.tsx";
import { Outcomes } from "./destinations.tsx";
import styles from "./follow.module.css";
import { OutcomeBadge } from "./outcome.tsx";
import type { FollowSearch } from "./search.ts";
import { Steps } from "./steps.tsx";
import { Timeline } from "./timeline.tsx";

const route = getRouteApi("/signed-in/follow");
const kinds = [
  { id: "any", label: "As it looks" },
  { id: "key", label: "A value in the record" },
  { id: "record_id", label: "A record's id" },
  { id: "dead_letter", label: "A dead letter's id" },
] as const;

/** What became of one record: by its id, by a value that stands in it, or by its dead letter. */
export function Follow() {
  const search = route.useSearch();
  return (
    <Page title="Follow a record" lead="Where a record came from, what each step made of it, and where it arrived.">
      <Form key={JSON.stringify(search)} given={search} />
      {search.integration !== undefined && search.record !== undefined && (
        <Found integration={search.integration} record={search.record} by={search.by} until={search.until} />
      )}
    </Page>
  );
}

function Form({ given }: { readonly given: FollowSearch }) {
  const navigate = route.useNavigate();
  const { rows } = useList<Integration>(["integrations"], "/v1/integrations");
  const [integration, setIntegration] = useState(given.integration ?? null);
  const [record, setRecord] = useState(given.record ?? "");
  const [by, setBy] = useState<(typeof kinds)[number]["id"]>(given.by ?? "any");
  const chosen = integration ?? (rows?.length === 1 ? (rows[0]?.id ?? null) : null);
  const options = (rows ?? []).map(({ id, name }) => ({ id, label: name }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (chosen === null || record.trim() === "") return;
    void navigate({
      search: { integration: chosen, record: record.trim(), by: by === "any" ? undefined : by, until: undefined },
    });
  };
  return (
    <Panel>
      <form className={styles.form} onSubmit={submit}>
        <SelectField label="Integration" options={options} value={chosen} onChange={setIntegration} isRequired />
        <div className={styles.grow}>
          <TextField
            label="Record"
            value={record}
            onChange={setRecord}
            placeholder="An email, an order's number, an id"
            autoFocus={given.record === undefined}
            isRequired
          />
        </div>
        <SelectField label="It is" options={kinds} value={by} onChange={setBy} />
        <Button
          kind="primary"
          type="submit"
          whyNot={chosen === null ? "Choose an integration" : record.trim() === "" ? "Say which record" : null}
        >
          Follow
        </Button>
      </form>
    </Panel>
  );
}

type Wanted = Pick<FollowSearch, "by" | "until"> & { readonly integration: string; readonly record: string };

function Found({ integration, record, by, until }: Wanted) {
  const { data, error, refetch } = useQuery({
    queryKey: ["follow", integration, record, by, until],
    queryFn: ({ signal }) =>
      api.get<Followed>(`/v1/integrations/${integration}/records/${encodeURIComponent(record)}`, { by, until }, signal),
    // What waits goes on.
    staleTime: 0,
  });
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />;
  }
  const { items, searched } = data;
  return (
    <>
      <p className="soft" role="status">
        {items.length === 0
          ? "Nothing found"
          : items.length === 1
            ? "Found once"
            : `Found ${count(items.length)} times`}{" "}
        in {count(searched.messages)} {searched.messages === 1 ? "message" : "messages"} of the log
        {searched.since !== null && (
          <>
            , back to <RelativeTime at={searched.since} />
          </>
        )}
        .{" "}
        {!searched.complete && searched.since !== null && (
          <Link to="/follow" search={(former) => ({ ...former, until: searched.since ?? undefined })}>
            Look further back
          </Link>
        )}
      </p>
      {items.length === 0 && (
        <Empty title="Nothing was found" icon={<SearchX size={28} aria-hidden />}>
          <p>
            A value is looked for as a whole, in the record as it was read. The log keeps three days; older records are
            found by their dead letters.
          </p>
        </Empty>
      )}
      {items.map((item) => (
        <Passage key={`${item.record_id} ${item.sequence}`} item={item} integration={integration} />
      ))}
    </>
  );
}

function Passage({ item, integration }: { readonly item: FollowedRecord; readonly integration: string }) {
  const { position, status, replay, failure, steps } = item;
  const title = replay ? "Replay of a record" : "Record";
  return (
    <Panel title={title} actions={<OutcomeBadge of={status} />}>
      <div className={styles.parts}>
        <Facts item={item} integration={integration} />
        {failure !== null && (
          <p className={styles.failure} role="alert">
            {position.base}:{position.ordinal} {failure}
          </p>
        )}
        <h3>What happened</h3>
        <Timeline events={item.events} />
        <h3>Destinations</h3>
        <Outcomes outcomes={item.destinations} />
        <h3 className={styles.head}>
          <Route size={16} aria-hidden /> {steps === null ? "The record" : "Through the steps"}
        </h3>
        <Steps item={item} />
      </div>
    </Panel>
  );
}

function Facts({ item, integration }: { readonly item: FollowedRecord; readonly integration: string }) {
  const { trace_url: template } = useMe();
  const { record_id: id, trace_id: traceId, position, run_id: run, integration_version: version } = item;
  return (
    <p className={styles.facts}>
      <span>
        id <CopyId id={id} />
      </span>
      <span>
        {position.base}:{position.ordinal}
      </span>
      <Link to="/runs/$id" params={{ id: run }}>
        Its run
      </Link>
      <span>
        {"version "}
        <Link to="/integrations/$id" params={{ id: integration }} search={{ tab: "versions", to: String(version) }}>
          {version}
        </Link>
      </span>
      {traceId !== null &&
        (template == null ? (
          <span>
            trace <CopyId id={traceId} />
          </span>
        ) : (
          <a href={traceUrl(template, traceId)} target="_blank" rel="noreferrer">
            Trace <ExternalLink size={12} aria-label="(in a new tab)" />
          </a>
        ))}
    </p>
  );
}
