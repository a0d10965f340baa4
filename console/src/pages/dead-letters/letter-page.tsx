import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { RotateCcw, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { toProblem } from "../../api/problem.ts";
import { useList } from "../../api/queries.ts";
import type { DeadLetter, Integration, Job } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Page } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import { Attempts } from "./attempts.tsx";
import { Discard } from "./discard.tsx";
import { JobsUnderWay } from "./job-progress.tsx";
import { Facts, Why } from "./letter-facts.tsx";
import { LetterState } from "./letter-state.tsx";
import type { Letter } from "./letter-text.ts";
import { letterQuery } from "./load-letter.ts";
import { Payload } from "./payload.tsx";
import { Replay } from "./replay.tsx";
import type { DeadLettersSearch } from "./search.ts";
import { whyNoReplay } from "./why-no-replay.ts";

const route = getRouteApi("/signed-in/integrations/$id/dead-letters");

/** One dead letter: the record, what the steps made of it, why it failed, and what may be done. */
export function LetterPage({ id, integration }: { readonly id: string; readonly integration: Integration }) {
  const search = route.useSearch();
  const { data, error, refetch } = useQuery(letterQuery(id));
  if (data !== undefined) return <Loaded letter={data} integration={integration} onStale={refetch} />;
  return (
    <Page title="Dead letter" crumbs={crumbs(integration, search)}>
      {error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={10} />}
    </Page>
  );
}

function crumbs({ id, name }: Integration, search: DeadLettersSearch) {
  return [
    <Link key="overview" to="/">
      Integrations
    </Link>,
    <Link key="integration" to="/integrations/$id" params={{ id }}>
      {name}
    </Link>,
    <Link key="letters" to="/integrations/$id/dead-letters" params={{ id }} search={{ ...search, letter: undefined }}>
      Dead letters
    </Link>,
  ];
}

interface LoadedProps {
  readonly letter: Letter;
  readonly integration: Integration;
  /** It is another version by now. */
  readonly onStale: () => Promise<unknown>;
}

function Loaded({ letter, integration, onStale }: LoadedProps) {
  const { info } = letter;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("dead-letters:write");
  const [asked, ask] = useState<"replay" | "discard" | null>(null);
  const [isChanged, setChanged] = useState(false);
  useNews(info, onStale);
  const setJob = (job: string | undefined) =>
    void navigate({ search: (former) => ({ ...former, job }), replace: true });
  const onBegun = (job: Job) => {
    ask(null);
    setJob(job.id);
  };
  return (
    <Page
      title="Dead letter"
      badge={<LetterState letter={info} />}
      crumbs={crumbs(integration, search)}
      lead={<Facts letter={info} />}
      actions={
        mayWrite &&
        !info.resolved && (
          <>
            <Button icon={<Trash2 size={16} aria-hidden />} onPress={() => ask("discard")}>
              Discard
            </Button>
            <Button
              kind="primary"
              icon={<RotateCcw size={16} aria-hidden />}
              onPress={() => ask("replay")}
              whyNot={isChanged ? "Save the correction first, or drop it" : whyNoReplay(integration, null)}
            >
              Replay
            </Button>
          </>
        )
      }
    >
      <JobsUnderWay id={integration.id} shown={search.job} onClose={() => setJob(undefined)} />
      <Why letter={info} />
      <Payload letter={letter} integration={integration} onStale={onStale} onChanged={setChanged} />
      <Attempts letter={info} />
      {asked === "discard" && <Discard letter={info} onClose={() => ask(null)} onDone={onStale} />}
      {asked === "replay" && (
        <Replay
          integration={integration}
          filter={{ dead_letter_id: info.id }}
          title="Replay this dead letter"
          onClose={() => ask(null)}
          onBegun={onBegun}
        />
      )}
    </Page>
  );
}

/** The list's row of it comes anew with events, and is small: what it says else of the letter is asked for then. */
function useNews(letter: DeadLetter, onStale: () => Promise<unknown>): void {
  const { rows } = useList<DeadLetter>(
    ["dead-letters", letter.integration_id, "record", letter.record_id],
    `/v1/integrations/${letter.integration_id}/dead-letter`,
    { record_id: letter.record_id },
  );
  const news = rows?.find(({ id }) => id === letter.id);
  const isNews =
    news !== undefined &&
    (news.version > letter.version || news.resolved !== letter.resolved || news.attempt_count > letter.attempt_count);
  useEffect(() => {
    if (isNews) void onStale();
  }, [isNews, onStale]);
}
