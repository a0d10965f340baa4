import { useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { api, type Page } from "../../api/client.ts";
import type { IntegrationVersion } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import type { EditedVersion } from "./edited-version.ts";
import styles from "./integration.module.css";
import { Diff } from "./lazy-editors.ts";

interface ConflictProps {
  readonly id: string;
  readonly base: EditedVersion;
  readonly theirs: EditedVersion;
  readonly mine: string;
  readonly onTake: () => void;
  readonly onOverwrite: () => Promise<void>;
  readonly onClose: () => void;
}

/** Somebody else saved first: what they changed, and what saving would undo of it, before anything is. */
export function Conflict({ id, base, theirs, mine, onTake, onOverwrite, onClose }: ConflictProps) {
  const [shown, show] = useState<"theirs" | "mine">("theirs");
  const { data: by } = useQuery({
    queryKey: ["version-by", id, theirs.version],
    queryFn: async ({ signal }) => {
      const { items } = await api.get<Page<IntegrationVersion>>(
        `/v1/integrations/${id}/versions`,
        { limit: 1 },
        signal,
      );
      return items[0]?.created_by ?? null;
    },
  });
  const who = by ?? "Somebody";
  const [before, after, label] =
    shown === "theirs"
      ? [base.text, theirs.text, `What version ${theirs.version} changed of version ${base.version}`]
      : [theirs.text, mine, `What yours would change of version ${theirs.version}`];
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
      <div className={styles.conflict}>
        <p>
          {who} saved version {theirs.version} while you edited version {base.version}. Nothing of yours is saved yet.
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
      </div>
    </Dialog>
  );
}
