import { TextField } from "../../components/field.tsx";
import { JsonView } from "../../components/json-view.tsx";
import { Panel } from "../../components/page.tsx";
import { Skeleton } from "../../components/states.tsx";
import { count } from "../../lib/format.ts";
import { ConnectorPart } from "./connector-part.tsx";
import { type EndDraft, empty } from "./draft.ts";
import styles from "./new-integration.module.css";
import type { StepProps } from "./step-props.ts";
import { StreamPart } from "./stream-part.tsx";
import { useSample, useStreams } from "./use-end.ts";

const webhook = {
  id: "webhook",
  label: "Webhooks",
  detail: "Records are sent to sluice, by whoever proves to be the right one",
};

/** Where records come from, with a look at some of them. */
export function SourceStep({ draft, change, types }: StepProps) {
  const { source, trigger } = draft;
  const isWebhook = trigger.type === "webhook";
  const set = (end: EndDraft) =>
    change({ source: end, ...(isWebhook && { trigger: { ...trigger, type: "manual" as const } }) });
  return (
    <>
      <ConnectorPart
        side="source"
        end={source}
        onChange={set}
        types={types}
        others={[webhook]}
        other={isWebhook ? webhook.id : null}
        onOther={() => change({ source: empty.source, trigger: { ...trigger, type: "webhook" } })}
      />
      {isWebhook && (
        <Panel title="What is sent">
          <div className={styles.narrow}>
            <TextField
              label="A record as it will be sent (JSON)"
              help="To suggest a mapping by. It may be left out."
              rows={8}
              isMono
              value={draft.sample}
              onChange={(sample) => change({ sample })}
              error={faultOf(draft.sample)}
            />
          </div>
        </Panel>
      )}
      {!isWebhook && source.connector !== null && source.type === null && (
        <>
          <StreamPart side="source" end={source} onChange={set} types={types} />
          <Sample end={source} />
        </>
      )}
    </>
  );
}

function faultOf(text: string): string | null {
  if (text.trim() === "") return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : "it is no JSON";
  }
}

/** The first records of the stream, so that one sees that it is the right one. */
function Sample({ end }: { readonly end: EndDraft }) {
  const { stream } = useStreams(end);
  const { records, error, isLoading } = useSample(end, stream);
  if (stream === undefined) return null;
  return (
    <Panel title="Sample">
      <div aria-live="polite">
        {isLoading && <Skeleton lines={4} />}
        {error && (
          <p className={styles.problem}>
            No records could be read: {error.message} <code>{error.code}</code>
          </p>
        )}
        {records?.length === 0 && (
          <p className="soft">No record was found: there is none in it yet, or the first ones cannot be read.</p>
        )}
        {records !== undefined && records.length > 0 && (
          <>
            <JsonView value={records[0]} label="Sample record" />
            <p className="soft">
              The first of {count(records.length)} that were read. Nothing is marked as read by that.
            </p>
          </>
        )}
      </div>
    </Panel>
  );
}
