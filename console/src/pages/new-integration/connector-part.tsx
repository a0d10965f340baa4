import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { connectorQuery, connectorsQuery } from "../../api/connectors.ts";
import { toProblem } from "../../api/problem.ts";
import type { Connector, ConnectorType } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { SelectField } from "../../components/field.tsx";
import { Panel } from "../../components/page.tsx";
import { ErrorState, Skeleton } from "../../components/states.tsx";
import { useMay } from "../../layout/me.ts";
import { ConnectorForm } from "../connectors/connector-form.tsx";
import { TypeChoice } from "../connectors/type-choice.tsx";
import { type EndDraft, empty } from "./draft.ts";
import { capabilityOf, firstMode, type Side, typeOf } from "./ends.ts";
import styles from "./new-integration.module.css";

interface ConnectorPartProps {
  readonly side: Side;
  readonly end: EndDraft;
  readonly onChange: (end: EndDraft) => void;
  readonly types: readonly ConnectorType[];
  /** Besides connectors. */
  readonly others?: readonly { readonly id: string; readonly label: string; readonly detail: string }[];
  readonly other?: string | null;
  readonly onOther?: (id: string) => void;
}

const newOne = "new";
const titles = { source: "Where do records come from?", destination: "Where do records go?" };

/** One of the connectors that are there, or a new one by the form of its type. */
export function ConnectorPart({ side, end, onChange, types, others = [], other = null, onOther }: ConnectorPartProps) {
  const mayWrite = useMay("connectors:write");
  const { data, error, refetch } = useQuery(connectorsQuery);
  if (data === undefined) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={4} />;
  }
  const able = types.filter((type) => capabilityOf(type, side) !== undefined);
  const there = data.items.filter(({ type }) => typeOf(able, type) !== undefined);
  const options = [
    ...there.map(({ id, name, type }) => ({ id, label: name, detail: typeOf(able, type)?.title ?? type })),
    ...others,
    ...(mayWrite
      ? [{ id: newOne, label: "A new connector …", detail: "Choose its type and say how it is reached" }]
      : []),
  ];
  const isNew = end.type !== null;
  const choose = (id: string) => {
    if (id === newOne) return onChange({ ...empty.source, type: "" });
    if (others.some((each) => each.id === id)) return onOther?.(id);
    const connector = there.find((each) => each.id === id);
    if (connector !== undefined) onChange(chosen(connector, types, side));
  };
  const value = other ?? (isNew ? newOne : (end.connector?.id ?? null));
  const type = typeOf(able, end.type ?? "");
  return (
    <>
      <Panel title={titles[side]}>
        <div className={styles.narrow}>
          <SelectField
            label="Connector"
            options={options}
            value={options.some(({ id }) => id === value) ? value : null}
            onChange={choose}
            help={options.length === 0 ? "There is none, and your role may not make one." : undefined}
          />
        </div>
        {isNew && (
          <TypeChoice
            label="Type"
            types={able}
            value={end.type === "" ? null : end.type}
            onChange={(id) => onChange({ ...end, type: id, connector: null, form: { ...end.form, config: {} } })}
          />
        )}
      </Panel>
      {isNew && type && <Making key={type.type} side={side} end={end} type={type} onChange={onChange} types={types} />}
    </>
  );
}

function chosen({ id, name, type }: Connector, types: readonly ConnectorType[], side: Side): EndDraft {
  return { ...empty.source, connector: { id, name, type }, mode: firstMode(typeOf(types, type), side) };
}

interface MakingProps extends Pick<ConnectorPartProps, "side" | "end" | "onChange" | "types"> {
  readonly type: ConnectorType;
}

/** The form of a new connector; one that was saved and could not be reached is changed until it is. */
function Making({ side, end, type, onChange, types }: MakingProps) {
  // Saved before the page was loaded anew: it is changed, not made again.
  const [before] = useState(end.connector);
  const { data, error, refetch } = useQuery({ ...connectorQuery(before?.id ?? ""), enabled: before !== null });
  const [isFilled, setFilled] = useState(before === null);
  useEffect(() => {
    if (isFilled || data === undefined) return;
    setFilled(true);
    onChange({ ...end, form: { name: data.name, config: data.config } });
  }, [isFilled, data, end, onChange]);
  if (!isFilled) {
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={4} />;
  }
  return (
    <Panel title={type.title}>
      <div className={styles.narrow}>
        <ConnectorForm
          type={type}
          connector={data ?? null}
          draft={end.form}
          onDraft={(form) => onChange({ ...end, form })}
          onSaved={(connector, tested) => {
            if (tested?.status !== "failed") return onChange(chosen(connector, types, side));
            const { id, name, type: saved } = connector;
            onChange({ ...end, connector: { id, name, type: saved } });
          }}
        >
          {end.connector !== null && (
            <Button
              onPress={() => {
                const { id, name, type: saved } = end.connector as NonNullable<EndDraft["connector"]>;
                onChange({ ...empty.source, connector: { id, name, type: saved }, mode: firstMode(type, side) });
              }}
            >
              Go on without
            </Button>
          )}
        </ConnectorForm>
      </div>
    </Panel>
  );
}
