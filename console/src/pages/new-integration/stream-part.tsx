import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import type { ConnectorType } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { ComboField } from "../../components/combo-field.tsx";
import { SelectField } from "../../components/field.tsx";
import { Panel } from "../../components/page.tsx";
import { FieldErrors, Skeleton } from "../../components/states.tsx";
import { fieldsOf } from "../connectors/fields.ts";
import type { EndDraft } from "./draft.ts";
import { capabilityOf, modeWords, type Side, typeOf } from "./ends.ts";
import styles from "./new-integration.module.css";
import { useStreams } from "./use-end.ts";

interface StreamPartProps {
  readonly side: Side;
  readonly end: EndDraft;
  readonly onChange: (end: EndDraft) => void;
  readonly types: readonly ConnectorType[];
}

const helps = {
  source: "A table, file, topic or the like, as the connector finds them.",
  destination: "One that is there, or the name of a new one.",
};

/** Which stream of the connector, and how it is read or written. */
export function StreamPart({ side, end, onChange, types }: StreamPartProps) {
  const { streams, stream, error, isLoading, retry } = useStreams(end);
  const capability = capabilityOf(typeOf(types, end.connector?.type ?? ""), side);
  const modes = capability?.modes ?? [];
  const choose = (name: string) => {
    const key = streams?.find((each) => each.name === name)?.key;
    onChange({ ...end, stream: name, fields: end.mode === "upsert" && key ? key.join(", ") : end.fields });
  };
  // Where there is one alone it is that one.
  const only = side === "source" && streams?.length === 1 && end.stream === "" ? streams[0]?.name : undefined;
  useEffect(() => {
    if (only !== undefined) onChange({ ...end, stream: only });
  }, [only, end, onChange]);
  const change = (mode: string) => {
    const fields =
      mode === "upsert"
        ? (stream?.key?.join(", ") ?? "")
        : mode === "incremental"
          ? (stream?.cursor_fields?.[0] ?? "")
          : "";
    onChange({ ...end, mode, fields });
  };
  return (
    <Panel title="Stream">
      <div className={styles.narrow}>
        {isLoading && <Skeleton lines={2} />}
        {error && (
          <div className={styles.problem} role="alert">
            <p>
              {end.connector?.name} does not tell its streams: {error.message} <code>{error.code}</code>
            </p>
            <FieldErrors errors={error.errors.filter(({ message }) => message !== error.message)} />
            <p>
              <Button onPress={retry}>Try again</Button>{" "}
              <Link to="/connectors/$id/edit" params={{ id: end.connector?.id ?? "" }}>
                Edit the connector
              </Link>
            </p>
          </div>
        )}
        {!isLoading && (
          <>
            <ComboField
              key={end.connector?.id}
              label="Stream"
              isRequired
              value={end.stream}
              onChange={choose}
              options={(streams ?? []).map(({ name, schema }) => ({ id: name, detail: fieldsOf(schema) }))}
              help={
                streams?.length === 0
                  ? `${end.connector?.name} has no streams yet. ${helps[side]}`
                  : `${helps[side]} ${found(streams)}`
              }
            />
            {modes.length > 1 && (
              <SelectField
                label={side === "source" ? "What is read" : "How it is written"}
                options={modes.map((id) => ({ id, label: modeWords[id] ?? id, detail: id }))}
                value={end.mode}
                onChange={change}
              />
            )}
            {end.mode === "upsert" && (
              <ComboField
                label="Key"
                isRequired
                value={end.fields}
                onChange={(fields) => onChange({ ...end, fields })}
                options={stream?.key ? [{ id: stream.key.join(", ") }] : []}
                help="The fields by which a record is known, several with commas."
              />
            )}
            {end.mode === "incremental" && capability?.own_cursor !== true && (
              <ComboField
                label="Read by"
                value={end.fields}
                onChange={(fields) => onChange({ ...end, fields })}
                options={(stream?.cursor_fields ?? []).map((id) => ({ id }))}
                help="A field that only grows, such as a time of change or a number."
              />
            )}
          </>
        )}
      </div>
    </Panel>
  );
}

const found = (streams: readonly object[] | undefined): string =>
  streams === undefined ? "" : streams.length === 1 ? "There is 1." : `There are ${streams.length}.`;
