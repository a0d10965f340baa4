import { useEffect, useMemo } from "react";
import { SelectField } from "../../components/field.tsx";
import { Panel } from "../../components/page.tsx";
import { Skeleton } from "../../components/states.tsx";
import type { Draft, MappingDraft } from "./draft.ts";
import styles from "./new-integration.module.css";
import { fieldPathOf, jsonPathOf, pathsOf, recordsIn, type SchemaPath, schemaOf } from "./schema-paths.ts";
import type { StepProps } from "./step-props.ts";
import { type Cast, castOf, leftOf, type Match, suggest, typeWords } from "./suggest.ts";
import { useSample, useStreams } from "./use-end.ts";

const nothing = "";
const casts: readonly Cast[] = ["string", "number", "integer", "boolean", "timestamp", "date", "json"];

/** What of a record goes where: suggested by names and types, and changed by hand. */
export function MappingStep({ draft, change }: StepProps) {
  const { source, destination, isLoading } = useFields(draft);
  const suggested = useMemo<MappingDraft | null>(() => {
    if (isLoading) return null;
    const { matches, left } = suggest(source, destination);
    return { rule: matches.some((each) => each.source !== null) ? "match" : "copy", matches, left };
  }, [source, destination, isLoading]);
  useEffect(() => {
    if (draft.mapping === null && suggested !== null) change({ mapping: suggested });
  }, [draft.mapping, suggested, change]);
  const { mapping } = draft;
  if (mapping === null) return <Skeleton lines={6} />;
  const whyNone = source.length === 0 ? "source" : destination.length === 0 ? "destination" : null;
  const set = (part: Partial<MappingDraft>) => change({ mapping: { ...mapping, ...part } });
  return (
    <Panel title="What goes where">
      {mapping.matches.length > 0 && (
        <div className={styles.narrow}>
          <SelectField
            label="Records"
            options={[
              { id: "match", label: "Field by field", detail: "As below; suggested by names and types" },
              { id: "copy", label: "As they are", detail: "Every field under its own name" },
            ]}
            value={mapping.rule}
            onChange={(rule) => set({ rule })}
          />
        </div>
      )}
      {mapping.rule === "copy" ? (
        <p>
          Records go as they are, every field under its own name.{" "}
          <span className="soft">
            {whyNone !== null && `The fields of the ${whyNone} are not known, so that nothing can be suggested. `}
            The integration's configuration takes any mapping later.
          </span>
        </p>
      ) : (
        <Rules mapping={mapping} source={source} destination={destination} onChange={set} />
      )}
      {mapping.rule === "match" && <Unmatched mapping={mapping} />}
    </Panel>
  );
}

/** The fields of both sides, as far as they are known: of a source without a schema those of its sample. */
function useFields(draft: Draft) {
  const from = useStreams(draft.source);
  const to = useStreams(draft.destination);
  const sample = useSample(draft.source, from.stream);
  const isWebhook = draft.trigger.type === "webhook";
  return useMemo(() => {
    const declared = pathsOf(from.stream?.schema);
    const records = isWebhook ? recordsIn(draft.sample) : sample.records;
    const source = declared.length > 0 ? declared : pathsOf(schemaOf(records ?? []));
    const isLoading = to.isLoading || (!isWebhook && (from.isLoading || (declared.length === 0 && sample.isLoading)));
    return { source, destination: pathsOf(to.stream?.schema), isLoading };
  }, [from.stream, from.isLoading, to.stream, to.isLoading, sample.records, sample.isLoading, isWebhook, draft.sample]);
}

interface RulesProps {
  readonly mapping: MappingDraft;
  readonly source: readonly SchemaPath[];
  readonly destination: readonly SchemaPath[];
  readonly onChange: (part: Partial<MappingDraft>) => void;
}

function Rules({ mapping: { matches }, source, destination, onChange }: RulesProps) {
  const options = [
    { id: nothing, label: "Nothing" },
    ...source.map((field) => ({
      id: jsonPathOf(field.names),
      label: jsonPathOf(field.names),
      detail: typeWords(field),
    })),
  ];
  const set = (index: number, part: Partial<Match>) => {
    const changed = matches.map((match, at) => (at === index ? { ...match, ...part } : match));
    onChange({ matches: changed, left: leftOf(changed, source) });
  };
  const fieldsOf = (match: Match) => ({
    from: source.find(({ names }) => jsonPathOf(names) === match.source),
    to: destination.find(({ names }) => names.length === 1 && match.destination === fieldPathOf(names)),
  });
  const choose = (index: number, id: string) => {
    const match = matches[index] as Match;
    const { from, to } = fieldsOf({ ...match, source: id });
    set(index, { source: id === nothing ? null : id, cast: from && to ? (castOf(from, to) ?? null) : null });
  };
  return (
    <div className={styles.scroller}>
      <table className={styles.rules} aria-label="Mapping">
        <thead>
          <tr>
            <th scope="col">Field of the destination</th>
            <th scope="col">Is filled with</th>
            <th scope="col">Converted to</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {matches.map((match, index) => (
            <tr key={match.destination}>
              <td>
                <strong>{match.destination}</strong> <span className="soft">{match.takes}</span>
              </td>
              <td>
                <SelectField
                  isBare
                  label={`Source of ${match.destination}`}
                  options={options}
                  value={options.some(({ id }) => id === (match.source ?? nothing)) ? (match.source ?? nothing) : null}
                  onChange={(id) => choose(index, id)}
                />
              </td>
              <td>
                {match.source !== null && (
                  <SelectField
                    isBare
                    label={`Conversion of ${match.destination}`}
                    options={[{ id: nothing, label: "As it is" }, ...casts.map((id) => ({ id, label: id }))]}
                    value={match.cast ?? nothing}
                    onChange={(id) => set(index, { cast: id === nothing ? null : (id as Cast) })}
                  />
                )}
              </td>
              <td className={match.source === null && match.isRequired ? styles.bad : "soft"}>
                {match.source === null
                  ? `${match.why}${match.isRequired ? ", and it must have a value" : ""}`
                  : match.why}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What neither side has a partner for. */
function Unmatched({ mapping: { matches, left } }: { readonly mapping: MappingDraft }) {
  const open = matches.filter(({ source }) => source === null).map(({ destination }) => destination);
  return (
    <div aria-live="polite">
      {open.length === 0 && left.length === 0 && <p className="soft">Every field of both sides is matched.</p>}
      {open.length > 0 && (
        <p>
          Not filled: <code>{open.join(", ")}</code>
        </p>
      )}
      {left.length > 0 && (
        <p>
          Left out of the source: <code>{left.join(", ")}</code>
        </p>
      )}
    </div>
  );
}
