import { getRouteApi, Link, useBlocker } from "@tanstack/react-router";
import { Button } from "../../components/button.tsx";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { Page } from "../../components/page.tsx";
import { Empty, FieldErrors } from "../../components/states.tsx";
import { Conflict } from "../integration/conflict.tsx";
import type { EditedVersion } from "../integration/edited-version.ts";
import { crumbs, titleOf } from "./head.tsx";
import styles from "./mapping.module.css";
import { Panes } from "./panes.tsx";
import { useDraft } from "./use-draft.ts";

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
      {place === undefined ? <NoMap id={id} /> : <Panes id={id} draft={draft} place={place} onSave={save} />}
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
