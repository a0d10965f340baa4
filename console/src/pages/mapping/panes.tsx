import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { toProblem } from "../../api/problem.ts";
import { Button } from "../../components/button.tsx";
import { SelectField } from "../../components/field.tsx";
import { Empty } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import styles from "./mapping.module.css";
import { Pane } from "./pane.tsx";
import type { Place } from "./places.ts";
import { ResultPane } from "./result-pane.tsx";
import { type RuleFinding, RulesPane } from "./rules-pane.tsx";
import { parseRules, rulesText } from "./rules-text.ts";
import { SamplePane } from "./sample-pane.tsx";
import { ruleOfEach, type Shape } from "./shape.ts";
import { findingsOf, inputOf, previewBody } from "./trial.ts";
import type { useDraft } from "./use-draft.ts";
import { type Tried, usePreview } from "./use-preview.ts";
import { useSample } from "./use-sample.ts";

const route = getRouteApi("/signed-in/integrations/$id/mapping");

interface PanesProps {
  readonly id: string;
  readonly draft: ReturnType<typeof useDraft>;
  readonly place: Place;
  readonly onSave: () => Promise<void>;
}

const none: Tried = { preview: null, isCurrent: false, problem: null };

/** A sample, the rules of a place, and what they make of the sample, side by side. */
export function Panes({ id, draft, place, onSave }: PanesProps) {
  const { record: shown } = route.useSearch();
  const navigate = route.useNavigate();
  const sample = useSample(id, draft.saved);
  const { records } = sample;
  const { config, places, refused } = draft;
  const text = draft.textOf(place);
  const isNone = place.rules === undefined && text === "";
  const index = Math.min(Math.max(0, (Number(shown) || 1) - 1), Math.max(0, records.length - 1));
  const record = records[index];
  // What is being written is not asked for until it is whole.
  const isBroken = record === undefined || "error" in record;
  const body = useMemo(
    () => (config === null || isNone || isBroken ? null : previewBody(records, config)),
    [records, config, isNone, isBroken],
  );
  const tried = usePreview(id, body);
  const { preview, isCurrent, problem } = tried;
  const show = (at: number) =>
    void navigate({
      search: (former) => ({ ...former, record: at === 0 ? undefined : String(at + 1) }),
      replace: true,
    });
  const syntax = useMemo(() => {
    const parsed = isNone ? null : parseRules(text);
    return parsed !== null && "error" in parsed ? parsed.error : null;
  }, [text, isNone]);
  const findings = useMemo<readonly RuleFinding[]>(
    () => findingsOf(place, { problem, refused: refused?.problem ?? null, preview: isCurrent ? preview : null }),
    [place, problem, refused, preview, isCurrent],
  );
  const input = useMemo(() => inputOf(preview, records, place.step), [preview, records, place.step]);
  const isLarge = record !== undefined && "error" in record && record.isLarge;
  const whyNone = isNone
    ? "There are no rules."
    : record === undefined
      ? sample.isReading
        ? null
        : "There is no record to try the rules with."
      : "error" in record
        ? "The record cannot be tried."
        : config === null
          ? "The rules are no JSON yet."
          : null;
  return (
    <div className={styles.panes}>
      <SamplePane sample={sample} index={index} onShow={show} />
      {isNone ? (
        <NoRules input={input} onBegin={(rules) => draft.write(place, rulesText(rules))} />
      ) : (
        <RulesPane
          key={place.path}
          text={text}
          onChange={(changed) => draft.write(place, changed)}
          onSave={() => void onSave().catch((error: unknown) => toast.problem(toProblem(error)))}
          syntax={syntax}
          findings={findings}
          input={input}
          onShow={show}
          chooser={
            places.length > 1 && (
              <SelectField
                label="Step"
                isInline
                options={places.map(({ step, path }) => ({
                  id: step,
                  label: step,
                  ...(path === "mapping_spec" && { detail: "the integration's own rules" }),
                }))}
                value={place.step}
                onChange={(step) => void navigate({ search: (former) => ({ ...former, step }) })}
              />
            )
          }
        />
      )}
      <ResultPane tried={isNone || isLarge ? none : tried} index={index} step={place.step} whyNone={whyNone} />
    </div>
  );
}

interface NoRulesProps {
  readonly input: Shape;
  readonly onBegin: (rules: readonly object[]) => void;
}

/** Where a mapping might stand. */
function NoRules({ input, onBegin }: NoRulesProps) {
  const each = ruleOfEach(input);
  return (
    <Pane title="Rules" area="rules">
      <Empty title="There is no mapping yet">
        <p>Records pass as they are.</p>
        <Button kind="primary" onPress={() => onBegin([{ source: "$", destination: "*" }])}>
          Begin with all fields
        </Button>
        {each.length > 0 && <Button onPress={() => onBegin(each)}>Begin with a rule for each field</Button>}
      </Empty>
    </Pane>
  );
}
