import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft, ArrowRight, Check, RotateCcw } from "lucide-react";
import { useEffect, useRef } from "react";
import { typesQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import type { ConnectorType } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Page } from "../../components/page.tsx";
import { Empty, ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay, useMe } from "../../layout/me.ts";
import { DestinationStep } from "./destination-step.tsx";
import { type Draft, useDraft, wantOf } from "./draft.ts";
import { MappingStep } from "./mapping-step.tsx";
import styles from "./new-integration.module.css";
import { ReviewStep } from "./review-step.tsx";
import { ScheduleStep } from "./schedule-step.tsx";
import { type Step, steps } from "./search.ts";
import { SourceStep } from "./source-step.tsx";

const route = getRouteApi("/signed-in/new");

const titles: Record<Step, string> = {
  source: "Source",
  destination: "Destination",
  mapping: "Mapping",
  schedule: "Schedule",
  review: "Review and run",
};
const parts = {
  source: SourceStep,
  destination: DestinationStep,
  mapping: MappingStep,
  schedule: ScheduleStep,
  review: ReviewStep,
};

/** From connectors to a first run, a step at a time. */
export function NewIntegration() {
  const { data, error, refetch } = useQuery(typesQuery);
  if (!useMay("integrations:write")) {
    return (
      <Page title="New integration">
        <Empty title="Your role may not make integrations" />
      </Page>
    );
  }
  if (data) return <Steps types={data.items} />;
  return (
    <Page title="New integration">
      {error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={8} />}
    </Page>
  );
}

function Steps({ types }: { readonly types: readonly ConnectorType[] }) {
  const { step: wanted = "source" } = route.useSearch();
  const navigate = route.useNavigate();
  const { draft, change, begin } = useDraft(types, useMe().name);
  // A link leads no further than what was put in.
  const reached = draft.madeId !== null ? steps.length - 1 : reachOf(draft);
  const at = draft.madeId !== null ? steps.length - 1 : Math.min(steps.indexOf(wanted), reached);
  const step = steps[at] as Step;
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(step);
  useEffect(() => {
    if (shown.current === step) return;
    shown.current = step;
    heading.current?.focus();
    heading.current?.closest("main")?.scrollTo(0, 0);
  }, [step]);
  const go = (to: Step) => void navigate({ search: { step: to === "source" ? undefined : to } });
  // Else the page would move on by itself as soon as more is put in.
  useEffect(() => {
    if (wanted !== step) void navigate({ search: { step }, replace: true });
  }, [wanted, step, navigate]);
  const Part = parts[step];
  const [before, after] = [steps[at - 1], steps[at + 1]];
  return (
    <Page
      title="New integration"
      crumbs={[
        <Link key="overview" to="/">
          Integrations
        </Link>,
      ]}
      actions={
        <Button
          icon={<RotateCcw size={16} aria-hidden />}
          onPress={() => {
            begin();
            go("source");
          }}
        >
          Begin anew
        </Button>
      }
    >
      <nav aria-label="Steps">
        <ol className={styles.steps}>
          {steps.map((each, index) => (
            <li key={each} aria-current={each === step ? "step" : undefined} data-done={index < at}>
              <span className={styles.number} aria-hidden>
                {index < at ? <Check size={13} /> : index + 1}
              </span>
              {each !== step && index <= reached && draft.madeId === null ? (
                <Link to="/new" search={{ step: each === "source" ? undefined : each }}>
                  {titles[each]}
                </Link>
              ) : (
                <span>{titles[each]}</span>
              )}
            </li>
          ))}
        </ol>
      </nav>
      <h2 ref={heading} tabIndex={-1} className="sr-only">
        {titles[step]}
      </h2>
      <div className={styles.step}>
        <Part draft={draft} change={change} types={types} />
      </div>
      {draft.madeId === null && (
        <div className={styles.buttons}>
          {before && (
            <Button icon={<ArrowLeft size={16} aria-hidden />} onPress={() => go(before)}>
              Back
            </Button>
          )}
          {after && (
            <Button
              kind="primary"
              icon={<ArrowRight size={16} aria-hidden />}
              onPress={() => go(after)}
              whyNot={wantOf(draft, step)}
            >
              Next: {titles[after]}
            </Button>
          )}
        </div>
      )}
    </Page>
  );
}

/** The first step that still wants something. */
function reachOf(draft: Draft): number {
  const open = steps.findIndex((step) => wantOf(draft, step) !== null);
  return open < 0 ? steps.length - 1 : open;
}
