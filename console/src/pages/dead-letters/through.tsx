import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, Filter } from "lucide-react";
import { api } from "../../api/client.ts";
import { toProblem } from "../../api/problem.ts";
import type { Followed, Integration, PreviewedRecord } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Panel } from "../../components/page.tsx";
import { Empty, FieldErrors, Skeleton } from "../../components/states.tsx";
import { Steps } from "../follow/steps.tsx";
import styles from "./dead-letters.module.css";
import type { Letter } from "./letter-text.ts";
import type { Tried } from "./use-preview.ts";

interface ThroughProps {
  readonly letter: Letter;
  readonly integration: Integration;
  /** Null: who is signed in may not try a record, and sees what the steps made of it. */
  readonly tried: Tried | null;
  /** Whether what is written is a record. */
  readonly isRecord: boolean;
}

/** The record before and after each step. */
export function Through({ letter, integration, tried, isRecord }: ThroughProps) {
  if (tried === null) return <AsItWas letter={letter} />;
  const { record, problem, tryIt, isTooLarge } = tried;
  return (
    <Panel title={`Through the steps of version ${integration.version}`}>
      {!isRecord ? (
        <p className="soft">A record is one JSON object: this is none, and comes to no step.</p>
      ) : problem !== null ? (
        <div className={styles.problem} role="alert">
          <p>{problem.message}</p>
          <FieldErrors errors={problem.errors} />
        </div>
      ) : tryIt !== null ? (
        <Empty title="A large record">
          {!isTooLarge && <p>It is taken through the steps when you ask for it.</p>}
          <Button onPress={tryIt} whyNot={isTooLarge ? "It is larger than a request may be" : null}>
            Try it
          </Button>
        </Empty>
      ) : record === undefined ? (
        <Skeleton lines={8} />
      ) : (
        <>
          {!letter.info.resolved && <Verdict record={record} letter={letter} />}
          <Steps item={{ steps: record.steps, steps_reason: null, record: record.record, repeatable: true }} />
        </>
      )}
    </Panel>
  );
}

function Verdict({ record, letter }: { readonly record: PreviewedRecord; readonly letter: Letter }) {
  const { status, failure, steps, destinations } = record;
  const refused = letter.info.destination;
  if (status === "failed") {
    const failed = steps.find(({ failures }) => failures.length > 0);
    const why = failure ?? failed?.failures[0];
    return (
      <p className={styles.verdict} data-tone="bad" role="status">
        <CircleAlert size={16} aria-hidden />
        <span>
          It would fail again{failed && ` at ${failed.step}`}: {why?.message}
        </span>
      </p>
    );
  }
  if (status === "delivered") {
    return (
      <p className={styles.verdict} data-tone="ok" role="status">
        <CircleCheck size={16} aria-hidden />
        <span>
          It would pass, to {destinations.map(({ destination }) => destination).join(", ")}.
          {refused !== null && ` Whether ${refused} takes it only a replay can tell.`}
        </span>
      </p>
    );
  }
  return (
    <p className={styles.verdict} data-tone="idle" role="status">
      <Filter size={16} aria-hidden />
      <span>{status === "filtered" ? "A step would filter it." : "It would go into a window."}</span>
    </p>
  );
}

/** As the steps had it when it failed. */
function AsItWas({ letter }: { readonly letter: Letter }) {
  const { id, integration_id: integration } = letter.info;
  const isLarge = letter.original.length > 1_000_000;
  const { data, error } = useQuery({
    queryKey: ["follow", integration, id, "dead_letter"],
    queryFn: ({ signal }) =>
      api.get<Followed>(`/v1/integrations/${integration}/records/${id}`, { by: "dead_letter" }, signal),
    retry: false,
    // Of a large one the answer would be several times as large: its own page is the place for that.
    enabled: !isLarge,
  });
  const item = data?.items.find(({ replay }) => replay === null) ?? data?.items[0];
  return (
    <Panel title="Through the steps">
      {isLarge ? (
        <p className="soft">
          A large record.{" "}
          <Link to="/follow" search={{ integration, record: id, by: "dead_letter" }}>
            Follow it
          </Link>{" "}
          to see what each step made of it.
        </p>
      ) : error !== null ? (
        <p className="soft">{toProblem(error).message}</p>
      ) : data === undefined ? (
        <Skeleton lines={8} />
      ) : item === undefined ? (
        <p className="soft">
          The log does not have it any more.{" "}
          <Link to="/follow" search={{ integration, record: id, by: "dead_letter" }}>
            Follow the record
          </Link>
        </p>
      ) : (
        <Steps item={item} />
      )}
    </Panel>
  );
}
