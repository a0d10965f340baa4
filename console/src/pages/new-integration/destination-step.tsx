import { Panel } from "../../components/page.tsx";
import { ConnectorPart } from "./connector-part.tsx";
import type { EndDraft } from "./draft.ts";
import { pathsOf } from "./schema-paths.ts";
import type { StepProps } from "./step-props.ts";
import { StreamPart } from "./stream-part.tsx";
import { typeWords } from "./suggest.ts";
import { useStreams } from "./use-end.ts";

/** Where records go. */
export function DestinationStep({ draft, change, types }: StepProps) {
  const { destination } = draft;
  const set = (end: EndDraft) => change({ destination: end });
  return (
    <>
      <ConnectorPart side="destination" end={destination} onChange={set} types={types} />
      {destination.connector !== null && destination.type === null && (
        <>
          <StreamPart side="destination" end={destination} onChange={set} types={types} />
          <Taken end={destination} />
        </>
      )}
    </>
  );
}

/** What the stream has by now. */
function Taken({ end }: { readonly end: EndDraft }) {
  const { streams, stream } = useStreams(end);
  const name = end.stream.trim();
  if (streams === undefined || name === "") return null;
  const fields = pathsOf(stream?.schema).filter(({ names }) => names.length === 1);
  return (
    <Panel title={`Fields of ${name}`}>
      {stream === undefined ? (
        <p className="soft">It is not there yet. It is made with the first run, where the connector may make it.</p>
      ) : fields.length === 0 ? (
        <p className="soft">It takes any.</p>
      ) : (
        <p>
          {fields.map((field, at) => (
            <span key={field.names[0]}>
              {at > 0 && ", "}
              {field.names[0]} <span className="soft">{typeWords(field)}</span>
            </span>
          ))}
        </p>
      )}
    </Panel>
  );
}
