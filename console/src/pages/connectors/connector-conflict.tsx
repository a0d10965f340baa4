import { lazy, Suspense } from "react";
import type { Connector } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { type Schema, withoutSecrets } from "../../components/schema-form/schema.ts";
import { Skeleton } from "../../components/states.tsx";
import type { ConnectorDraft } from "./connector-draft.ts";

const Diff = lazy(async () => ({ default: (await import("../../components/diff.tsx")).Diff }));

interface ConflictProps {
  readonly schema: Schema;
  /** What was changed. */
  readonly base: Connector;
  readonly theirs: Connector;
  readonly mine: ConnectorDraft;
  readonly onTake: () => void;
  readonly onOverwrite: () => Promise<void>;
  readonly onClose: () => void;
}

/** Somebody else saved first: what saving would change of that, before anything is. */
export function ConnectorConflict({ schema, base, theirs, mine, onTake, onOverwrite, onClose }: ConflictProps) {
  const textOf = ({ name, config }: ConnectorDraft) =>
    JSON.stringify({ name, config: withoutSecrets(schema, config, "***") }, null, 2);
  return (
    <Dialog
      title="Somebody else changed it"
      size="large"
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>Go on editing</Button>
          <Button onPress={onTake}>Take theirs, drop mine</Button>
          <Button kind="danger" onPress={onOverwrite}>
            Put mine over theirs
          </Button>
        </>
      }
    >
      <p>
        Version {theirs.version} was saved while you edited version {base.version}. Nothing of yours is saved yet. This
        is what yours would change of theirs; secrets are not shown.
      </p>
      <Suspense fallback={<Skeleton lines={8} />}>
        <Diff label="What yours would change of theirs" before={textOf(theirs)} after={textOf(mine)} />
      </Suspense>
    </Dialog>
  );
}
