import { Suspense, useState } from "react";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { Diff } from "../integration/lazy-editors.ts";
import { formatted, type Letter } from "./letter-text.ts";

interface LetterConflictProps {
  readonly base: Letter;
  readonly theirs: Letter;
  readonly mine: string;
  readonly onTake: () => void;
  readonly onOverwrite: () => Promise<void>;
  readonly onClose: () => void;
}

const textOf = ({ corrected, original }: Letter): string => corrected ?? original;

/** Somebody else saved first: what they made of the record, and what saving would undo of it, before anything is. */
export function LetterConflict({ base, theirs, mine, onTake, onOverwrite, onClose }: LetterConflictProps) {
  const [shown, show] = useState<"theirs" | "mine">("theirs");
  const { info } = theirs;
  const [before, after, label] =
    shown === "theirs"
      ? [textOf(base), textOf(theirs), "What they changed"]
      : [textOf(theirs), formatted(mine), "What mine would change of theirs"];
  const who = (info.resolved ? info.resolved_by : info.corrected_by) ?? "Somebody";
  return (
    <Dialog
      title={info.resolved ? "It is resolved by now" : "Somebody else corrected it"}
      size="large"
      isOpen
      onClose={onClose}
      actions={
        info.resolved ? (
          <Button onPress={onTake}>Show how it is now</Button>
        ) : (
          <>
            <Button onPress={onClose}>Go on editing</Button>
            <Button onPress={onTake}>Take theirs, drop mine</Button>
            <Button kind="danger" onPress={onOverwrite}>
              Put mine over theirs
            </Button>
          </>
        )
      }
    >
      <p>
        {info.resolved
          ? `${who} ${info.resolution} it while you corrected it. What you wrote is not saved.`
          : `${who} saved another record while you corrected it. Nothing of yours is saved yet.`}
      </p>
      <Tabs
        label="What is different"
        selected={shown}
        onSelect={show}
        tabs={[
          { id: "theirs", title: "What they changed" },
          { id: "mine", title: "What mine would change of theirs" },
        ]}
      >
        {before === after ? (
          <p className="soft">There is no difference.</p>
        ) : (
          <Suspense fallback={<Skeleton lines={8} />}>
            <Diff label={label} before={before} after={after} />
          </Suspense>
        )}
      </Tabs>
    </Dialog>
  );
}
