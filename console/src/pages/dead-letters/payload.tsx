import { useQuery } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { type ReactNode, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Integration } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Confirm } from "../../components/dialog.tsx";
import { TextView } from "../../components/json-view.tsx";
import { Panel } from "../../components/page.tsx";
import { FieldErrors, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import { editing } from "../integration/editing.ts";
import { CodeEditor, Diff } from "../integration/lazy-editors.ts";
import styles from "./dead-letters.module.css";
import { LetterConflict } from "./letter-conflict.tsx";
import { formatted, type Letter, recordIn } from "./letter-text.ts";
import { loadLetter } from "./load-letter.ts";
import { errorsOf, marksOf, previewErrors } from "./marks.ts";
import { ruleQuery } from "./rule.ts";
import { Through } from "./through.tsx";
import { mostBytes, usePreview } from "./use-preview.ts";

/** Up to here it is shown in an editor at once; in characters. */
const small = 1_000_000;

interface PayloadProps {
  readonly letter: Letter;
  readonly integration: Integration;
  readonly onStale: () => Promise<unknown>;
  /** Whether something is written that is not saved. */
  readonly onChanged: (isChanged: boolean) => void;
}

type View = "record" | "original" | "changes" | "state";

const textOf = ({ corrected, original }: Letter): string => corrected ?? original;

/** The record of a dead letter, to be read or, by who may, to be corrected, and what the steps make of it. */
export function Payload({ letter, integration, onStale, onChanged }: PayloadProps) {
  const { info, original, state } = letter;
  const mayTry = useMay("dead-letters:write");
  const mayWrite = mayTry && !info.resolved;
  // What the draft began as: a save changes this version or nothing.
  const [base, setBase] = useState(letter);
  const [draft, setDraft] = useState(textOf(letter));
  const [refused, setRefused] = useState<{ readonly text: string; readonly problem: Problem } | null>(null);
  const [theirs, setTheirs] = useState<Letter | null>(null);
  const [view, show] = useState<View>("record");
  const [isOpened, open] = useState(false);
  const isChanged = draft !== textOf(base);
  if (!isChanged && base !== letter && letter.info.version >= base.info.version) take(letter);
  useEffect(() => onChanged(isChanged), [isChanged, onChanged]);
  const record = useMemo(() => (draft.length > small ? null : recordIn(draft)), [draft]);
  const isLarge = draft.length > small;
  const leaving = useBlocker({
    // From view to view of the same letter nothing is lost.
    shouldBlockFn: ({ current, next }) =>
      isChanged && (current.pathname !== next.pathname || (next.search as { letter?: string }).letter !== info.id),
    enableBeforeUnload: isChanged,
    withResolver: true,
  });

  function take(version: Letter) {
    setBase(version);
    setDraft(textOf(version));
    setTheirs(null);
    setRefused(null);
  }

  /** Over `version` alone: what somebody else makes meanwhile is shown, and not lost. */
  const send = async (text: string | null, version: number) => {
    const payload = text === null ? null : recordIn(text);
    if (payload === undefined) return;
    try {
      await api.patch(`/v1/dead-letter/${info.id}`, { payload }, { version });
      take(await loadLetter(info.id));
      await onStale();
      toast.ok(text === null ? "The correction is taken back" : "The correction is saved: a replay takes it");
    } catch (error) {
      const failed = toProblem(error);
      const latest = failed.status === 412 || failed.status === 409 ? await loadLetter(info.id) : null;
      if (latest !== null && latest.info.version !== version) setTheirs(latest);
      else setRefused({ text: draft, problem: failed });
    }
  };

  const tried = usePreview(info.id, integration.version, draft, mayTry && (letter.isRecord || isChanged));
  const { data: rule } = useQuery(ruleQuery(info));
  const errors = useMemo(() => {
    const now = tried.record && previewErrors(tried.record, integration);
    if (now !== undefined && now.length > 0) return now;
    return draft === original ? errorsOf(letter, rule) : [];
  }, [tried.record, integration, draft, original, letter, rule]);
  const marks = useMemo(() => marksOf(draft, errors), [draft, errors]);
  const stateMarks = useMemo(
    () => (state === null ? [] : marksOf(state, errorsOf(letter, rule))),
    [state, letter, rule],
  );
  const onSave = useRef(() => {});
  const extensions = useMemo(() => (isLarge ? [] : editing(marks, () => onSave.current())), [marks, isLarge]);
  const stateExtensions = useMemo(() => editing(stateMarks, () => {}), [stateMarks]);
  const whyNot = !isChanged
    ? "Nothing is changed"
    : record === undefined
      ? "A record is one JSON object"
      : draft.length > mostBytes
        ? "It is larger than a request may be"
        : null;
  onSave.current = () => {
    if (mayWrite && whyNot === null) void send(draft, base.info.version);
  };
  const problem = refused?.text === draft ? refused.problem : null;
  const isCorrected = draft !== original;
  const tabs = [
    { id: "record", title: isCorrected ? "Corrected" : "The record" },
    ...(isCorrected ? ([{ id: "original", title: "As it came" }] as const) : []),
    ...(isCorrected && !isLarge ? ([{ id: "changes", title: "What is corrected" }] as const) : []),
    ...(state !== null && state !== original
      ? ([{ id: "state", title: `Before ${info.step ?? info.destination ?? "it failed"}` }] as const)
      : []),
  ] as const;
  // Large ones scroll, small ones leave no room below.
  const height = { height: `min(56vh, max(140px, ${lines(draft) * 19 + 34}px))` };
  const shown = tabs.some(({ id }) => id === view) ? view : "record";
  return (
    <div className={styles.columns}>
      <Panel title="Record">
        <Choice tabs={tabs} selected={shown} onSelect={show}>
          {shown === "original" ? (
            <TextView text={original} label="The record as it came" />
          ) : shown === "state" ? (
            (state ?? "").length > small ? (
              <TextView text={state ?? ""} label="The record before it failed" />
            ) : (
              <div style={height}>
                <Suspense fallback={<Skeleton lines={8} />}>
                  <CodeEditor
                    key="state"
                    label="The record before it failed"
                    value={state ?? ""}
                    extensions={stateExtensions}
                    isReadOnly
                  />
                </Suspense>
              </div>
            )
          ) : shown === "changes" ? (
            <Suspense fallback={<Skeleton lines={8} />}>
              <Diff label="What is corrected" before={original} after={formatted(draft)} />
            </Suspense>
          ) : isLarge && !isOpened ? (
            <div className={styles.large}>
              <TextView text={draft} label="The record" />
              {mayWrite && (
                <Button onPress={() => open(true)} whyNot={draft.length > mostBytes ? tooLarge : null}>
                  Correct it
                </Button>
              )}
            </div>
          ) : (
            <div style={height}>
              <Suspense fallback={<Skeleton lines={8} />}>
                <CodeEditor
                  key="record"
                  label="The record"
                  value={draft}
                  onChange={setDraft}
                  extensions={extensions}
                  isReadOnly={!mayWrite}
                />
              </Suspense>
            </div>
          )}
        </Choice>
        {problem !== null && (
          <div className={styles.problem} role="alert">
            <p>{problem.message}</p>
            <FieldErrors errors={problem.errors} />
          </div>
        )}
        {mayWrite && (!isLarge || isOpened) && (
          <div className={styles.below}>
            <p className="soft">
              {isChanged
                ? "Ctrl+S saves, Escape and Tab lead out. The record as it came is kept beside."
                : "Correct it here, and replay it."}
            </p>
            <div className={styles.buttons}>
              {isChanged && <Button onPress={() => take(base)}>Drop changes</Button>}
              {!isChanged && base.corrected !== null && (
                <Button onPress={() => send(null, base.info.version)}>Take the correction back</Button>
              )}
              <Button kind="primary" onPress={() => send(draft, base.info.version)} whyNot={whyNot}>
                Save the correction
              </Button>
            </div>
          </div>
        )}
      </Panel>
      <Through
        letter={letter}
        integration={integration}
        tried={mayTry ? tried : null}
        isRecord={record !== undefined}
      />
      {theirs !== null && (
        <LetterConflict
          base={base}
          theirs={theirs}
          mine={draft}
          onTake={() => {
            take(theirs);
            void onStale();
          }}
          onOverwrite={() => send(draft, theirs.info.version)}
          onClose={() => setTheirs(null)}
        />
      )}
      <Confirm
        title="Leave without saving?"
        action="Leave"
        isDanger
        isOpen={leaving.status === "blocked"}
        onClose={() => leaving.reset?.()}
        onConfirm={async () => leaving.proceed?.()}
      >
        <p>What you corrected in the record is not saved.</p>
      </Confirm>
    </div>
  );
}

interface ChoiceProps {
  readonly tabs: readonly { readonly id: View; readonly title: string }[];
  readonly selected: View;
  readonly onSelect: (view: View) => void;
  readonly children: ReactNode;
}

/** Tabs where there is something to choose. */
function Choice({ tabs, selected, onSelect, children }: ChoiceProps) {
  if (tabs.length === 1) return children;
  return (
    <Tabs<View> label="What is shown of the record" tabs={tabs} selected={selected} onSelect={onSelect}>
      {children}
    </Tabs>
  );
}

/** At most as many as are in sight. */
const lines = (text: string): number => text.split("\n", 60).length;

const tooLarge = "It is larger than a request may be: put it right where it comes from";
