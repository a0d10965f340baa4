import type { EditorView } from "@codemirror/view";
import { ViewPlugin } from "@codemirror/view";
import { Plus } from "lucide-react";
import { type ReactNode, Suspense, useMemo, useRef } from "react";
import { Button } from "../../components/button.tsx";
import { NoJson } from "../../components/no-json.tsx";
import { Skeleton } from "../../components/states.tsx";
import { editing } from "../integration/editing.ts";
import { CodeEditor } from "../integration/lazy-editors.ts";
import { addRule, ruleCompletion } from "./completion.ts";
import styles from "./mapping.module.css";
import { Pane } from "./pane.tsx";
import { type RuleError, rangeOf, rulesInFile } from "./rules-text.ts";
import type { Shape } from "./shape.ts";

/** What is wrong with a rule, and of which records of the sample, from 0; null: whatever the record. */
export interface RuleFinding extends RuleError {
  readonly records: readonly number[] | null;
}

interface RulesPaneProps {
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly onSave: () => void;
  /** Why it is no list of rules at all. */
  readonly syntax: string | null;
  readonly findings: readonly RuleFinding[];
  /** Of the records that come in. */
  readonly input: Shape;
  readonly onShow: (record: number) => void;
  /** Which step's rules these are. */
  readonly chooser: ReactNode;
}

/** Rules as text, what is wrong with them at its place and below. */
export function RulesPane(props: RulesPaneProps) {
  const { text, onChange, onSave, syntax, findings, input, onShow, chooser } = props;
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ input, onSave });
  latest.current = { input, onSave };
  const always = useMemo(
    () => [
      ruleCompletion(() => latest.current.input),
      ViewPlugin.define((editor) => {
        view.current = editor;
        return {};
      }),
    ],
    [],
  );
  const marks = useMemo(
    () => findings.map((finding) => ({ ...rangeOf(text, finding), message: finding.message })),
    [text, findings],
  );
  const extensions = useMemo(() => [always, editing(marks, () => latest.current.onSave())], [always, marks]);
  const goTo = (finding: RuleFinding) => {
    view.current?.dispatch({ selection: { anchor: rangeOf(text, finding).from }, scrollIntoView: true });
    view.current?.focus();
  };
  return (
    <Pane
      title="Rules"
      area="rules"
      tools={
        <>
          {chooser}
          <Button
            kind="quiet"
            icon={<Plus size={16} aria-hidden />}
            onPress={() => {
              if (view.current !== null) addRule(view.current);
            }}
          >
            Add a rule
          </Button>
        </>
      }
    >
      <div className={styles.fill}>
        <Suspense fallback={<Skeleton lines={10} />}>
          <CodeEditor label="Rules" value={text} onChange={onChange} extensions={extensions} />
        </Suspense>
      </div>
      <div className={styles.findings} aria-live="polite">
        {syntax !== null ? (
          <NoJson text={text} why={syntax} jsonOf={rulesInFile} onTake={onChange} />
        ) : findings.length > 0 ? (
          <ul>
            {findings.map((finding) => (
              <li key={JSON.stringify(finding)}>
                <Finding finding={finding} onGoTo={() => goTo(finding)} onShow={onShow} />
              </li>
            ))}
          </ul>
        ) : (
          <p className="soft">Ctrl+Space completes fields and paths, Ctrl+S saves, Escape and Tab lead out.</p>
        )}
      </div>
    </Pane>
  );
}

interface FindingProps {
  readonly finding: RuleFinding;
  readonly onGoTo: () => void;
  readonly onShow: (record: number) => void;
}

function Finding({ finding, onGoTo, onShow }: FindingProps) {
  const { rule, field, message, records } = finding;
  return (
    <>
      {rule !== null && (
        <button type="button" className={styles.link} onClick={onGoTo}>
          Rule {rule + 1}
          {field !== "" && (
            <>
              {" "}
              <code>{field}</code>
            </>
          )}
        </button>
      )}
      {message}
      {records !== null && (
        <span>
          {" "}
          {records.map((record) => (
            <button key={record} type="button" className={styles.link} onClick={() => onShow(record)}>
              record {record + 1}
            </button>
          ))}
        </span>
      )}
    </>
  );
}
