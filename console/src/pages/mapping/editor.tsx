import { getRouteApi, Link, useBlocker } from "@tanstack/react-router";
import { useMemo } from "react";
import { toProblem } from "../../api/problem.ts";
import { Button } from "../../components/button.tsx";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { SelectField } from "../../components/field.tsx";
import { Page } from "../../components/page.tsx";
import { Empty, FieldErrors } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import { Conflict } from "../integration/conflict.tsx";
import type { EditedVersion } from "../integration/edited-version.ts";
import { crumbs, titleOf } from "./head.tsx";
import styles from "./mapping.module.css";
import type { Place } from "./places.ts";
import { ResultPane } from "./result-pane.tsx";
import { type RuleFinding, RulesPane } from "./rules-pane.tsx";
import { parseRules, rulesText } from "./rules-text.ts";
import { SamplePane } from "./sample-pane.tsx";
import { findingsOf, inputOf, previewBody } from "./trial.ts";
import { useDraft } from "./use-draft.ts";
import { type Tried, usePreview } from "./use-preview.ts";
import { useSample } from "./use-sample.ts";

const route = getRouteApi("/signed-in/integrations/$id/mapping");

interface EditorProps {
  readonly id: string;
  readonly name: string;
  /** As it is on the server, as far as is known. */
  readonly current: EditedVersion;
}

/** Rules between a sample and what they make of it, until they are saved. */
export function Editor({ id, name, current }: EditorProps) {
  const draft = useDraft(id, current);
  const { step: wanted } = route.useSearch();
  const { places, base, isChanged, isBehind, config, theirs, refused } = draft;
  const place = places.find(({ step }) => step === wanted) ?? places[0];
  const leaving = useBlocker({
    shouldBlockFn: ({ current: here, next }) => isChanged && here.pathname !== next.pathname,
    enableBeforeUnload: isChanged,
    withResolver: true,
  });
  const whyNot = !isChanged ? "Nothing is changed" : config === null ? "Some of it is no JSON yet" : null;
  const save = async () => {
    if (whyNot === null) await draft.save({ check: true });
  };
  return (
    <Page
      title={titleOf(name)}
      crumbs={crumbs(id, name)}
      badge={
        <span className="soft">
          version {base.version}
          {isChanged && ", changed"}
        </span>
      }
      actions={
        <>
          {isChanged && <Button onPress={draft.discard}>Discard changes</Button>}
          <Button kind="primary" onPress={save} whyNot={whyNot}>
            Save as a new version
          </Button>
        </>
      }
    >
      {isBehind && theirs === null && (
        <div className={styles.behind} role="status">
          <span>
            Somebody changed it while you edit version {base.version}: it is at version {current.version}.
          </span>
          <Button onPress={draft.look}>Look at what changed</Button>
        </div>
      )}
      {place === undefined ? <NoMap id={id} /> : <Trial id={id} draft={draft} place={place} onSave={save} />}
      {theirs !== null && (
        <Conflict
          id={id}
          base={base}
          theirs={theirs}
          mine={draft.mine}
          onTake={() => draft.take(theirs)}
          onOverwrite={draft.overwrite}
          onClose={draft.close}
        />
      )}
      <Dialog
        title="This breaks"
        isOpen={refused?.isBreak ?? false}
        onClose={draft.allow}
        actions={
          <>
            <Button onPress={draft.allow}>Go on editing</Button>
            <Button kind="danger" onPress={() => draft.save({ check: false })}>
              Save all the same
            </Button>
          </>
        }
      >
        <p>It is not saved. Compared with what its source gives and its destinations take:</p>
        {refused && refused.problem.errors.length > 0 ? (
          <FieldErrors errors={refused.problem.errors} />
        ) : (
          <p>{refused?.problem.message}</p>
        )}
      </Dialog>
      <Confirm
        title="Leave without saving?"
        action="Leave"
        isDanger
        isOpen={leaving.status === "blocked"}
        onClose={() => leaving.reset?.()}
        onConfirm={async () => leaving.proceed?.()}
      >
        <p>What you changed in the rules is not saved.</p>
      </Confirm>
    </Page>
  );
}

interface TrialProps {
  readonly id: string;
  readonly draft: ReturnType<typeof useDraft>;
  readonly place: Place;
  readonly onSave: () => Promise<void>;
}

const none: Tried = { preview: null, isCurrent: false, problem: null };

/** The three parts side by side. */
function Trial({ id, draft, place, onSave }: TrialProps) {
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
        <section className={styles.pane} aria-label="Rules" data-area="rules">
          <Empty title="There is no mapping yet">
            <p>Records pass as they are.</p>
            <Button kind="primary" onPress={() => draft.write(place, rulesText([{ source: "$", destination: "*" }]))}>
              Begin with all fields
            </Button>
          </Empty>
        </section>
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

function NoMap({ id }: { readonly id: string }) {
  return (
    <Empty title="No step of it maps">
      <p>
        Add a step of the type <code>map</code> to its pipeline.
      </p>
      <Link to="/integrations/$id" params={{ id }} search={{ tab: "configuration" }}>
        To its configuration
      </Link>
    </Empty>
  );
}
