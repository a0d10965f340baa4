import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useBlocker } from "@tanstack/react-router";
import { Shuffle } from "lucide-react";
import { type ReactNode, Suspense, useMemo, useRef, useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Integration } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { buttonClass } from "../../components/button-class.ts";
import { Confirm } from "../../components/dialog.tsx";
import { NoJson } from "../../components/no-json.tsx";
import { Panel } from "../../components/page.tsx";
import { ErrorState, FieldErrors, Skeleton } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import { configInFile, findings, parseConfig } from "./config-text.ts";
import { Conflict } from "./conflict.tsx";
import { configurationOf, type EditedVersion } from "./edited-version.ts";
import { editing } from "./editing.ts";
import styles from "./integration.module.css";
import { CodeEditor } from "./lazy-editors.ts";
import { useCheck } from "./use-check.ts";

/** An integration as it is configured, to be read or, by who may, to be changed. */
export function Configuration({ integration }: { readonly integration: Integration }) {
  const { id, version } = integration;
  const mayWrite = useMay("integrations:write");
  const { data, error, refetch } = useQuery({
    queryKey: ["configuration", id, version],
    queryFn: () => configurationOf(id),
    // What is edited goes on while a newer version is on its way.
    placeholderData: (former) => former,
  });
  if (data === undefined)
    return error ? <ErrorState problem={toProblem(error)} onRetry={refetch} /> : <Skeleton lines={10} />;
  if (mayWrite) return <Editor id={id} current={data} />;
  return (
    <Panel title="Configuration" actions={<ToMapping id={id} />}>
      <div className={styles.editor}>
        <Suspense fallback={<Skeleton lines={10} />}>
          <CodeEditor label="Configuration" value={data.text} isReadOnly />
        </Suspense>
      </div>
    </Panel>
  );
}

function ToMapping({ id }: { readonly id: string }) {
  return (
    <Link to="/integrations/$id/mapping" params={{ id }} className={buttonClass()}>
      <Shuffle size={16} aria-hidden />
      Mapping
    </Link>
  );
}

interface EditorProps {
  readonly id: string;
  /** As it is on the server, as far as is known. */
  readonly current: EditedVersion;
}

function Editor({ id, current }: EditorProps) {
  const client = useQueryClient();
  // What the draft began as: a save changes this version or nothing.
  const [base, setBase] = useState(current);
  const [draft, setDraft] = useState(current.text);
  const [refused, setRefused] = useState<{ readonly text: string; readonly problem: Problem } | null>(null);
  const [theirs, setTheirs] = useState<EditedVersion | null>(null);
  const isChanged = draft !== base.text;
  if (!isChanged && current.version > base.version) take(current);
  const isBehind = isChanged && current.version > base.version;
  const check = useCheck(isChanged ? draft : null);
  const parsed = useMemo(() => parseConfig(draft), [draft]);
  const problem = refused?.text === draft ? refused.problem : null;
  const errors = problem?.errors ?? check.errors;
  const found = useMemo(() => findings(draft, errors), [draft, errors]);
  const leaving = useBlocker({ shouldBlockFn: () => isChanged, enableBeforeUnload: isChanged, withResolver: true });

  function take(version: EditedVersion) {
    setBase(version);
    setDraft(version.text);
    setTheirs(null);
    setRefused(null);
  }

  /** Over `version` alone: what somebody else makes meanwhile is shown, and not lost. */
  const save = async (version: number) => {
    if ("error" in parsed) return;
    try {
      const saved = await api.put<Integration>(`/v1/integrations/${id}`, parsed.value, { version });
      take(await configurationOf(id));
      client.setQueryData(["integration", id], saved);
      toast.ok(`Saved as version ${saved.version}`);
    } catch (error) {
      const failed = toProblem(error);
      const latest = failed.status === 412 || failed.status === 409 ? await configurationOf(id) : null;
      if (latest !== null && latest.version !== version) setTheirs(latest);
      else setRefused({ text: draft, problem: failed });
    }
  };

  const onSave = useRef(() => {});
  const extensions = useMemo(() => editing(found, () => onSave.current()), [found]);
  const whyNot = !isChanged ? "Nothing is changed" : "error" in parsed ? parsed.error : null;
  onSave.current = () => {
    if (whyNot === null) void save(base.version);
  };
  return (
    <Panel title="Configuration" actions={<ToMapping id={id} />}>
      {isBehind && theirs === null && (
        <div className={styles.behind} role="status">
          <span>
            Somebody changed it while you edit version {base.version}: it is at version {current.version}.
          </span>
          <Button onPress={() => setTheirs(current)}>Look at what changed</Button>
        </div>
      )}
      <div className={styles.editor}>
        <Suspense fallback={<Skeleton lines={10} />}>
          <CodeEditor label="Configuration" value={draft} onChange={setDraft} extensions={extensions} />
        </Suspense>
      </div>
      {problem !== null && (
        <div className={styles.problem} role="alert">
          <p>{problem.errors.length === 0 ? problem.message : "It is not saved:"}</p>
          <FieldErrors errors={problem.errors} />
        </div>
      )}
      <div className={styles.below}>
        <Checked
          isChanged={isChanged}
          errors={"error" in parsed ? [] : check.errors}
          notes={check.notes}
          syntax={
            "error" in parsed && (
              <NoJson
                text={draft}
                why={parsed.error}
                jsonOf={(value) => configInFile(value, base.text)}
                onTake={setDraft}
              />
            )
          }
        />
        <div className={styles.buttons}>
          {isChanged && <Button onPress={() => take(base)}>Discard changes</Button>}
          <Button kind="primary" onPress={() => save(base.version)} whyNot={whyNot}>
            Save as a new version
          </Button>
        </div>
      </div>
      {theirs !== null && (
        <Conflict
          id={id}
          base={base}
          theirs={theirs}
          mine={draft}
          onTake={() => take(theirs)}
          onOverwrite={() => save(theirs.version)}
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
        <p>What you changed in the configuration is not saved.</p>
      </Confirm>
    </Panel>
  );
}

interface CheckedProps {
  readonly isChanged: boolean;
  /** Why it is no JSON. */
  readonly syntax: ReactNode;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  readonly notes: ReturnType<typeof useCheck>["notes"];
}

/** What the server makes of the draft. */
function Checked({ isChanged, syntax, errors, notes }: CheckedProps) {
  return (
    <div className={styles.checked} aria-live="polite">
      {!isChanged ? (
        <p className="soft">JSON, or YAML pasted from a file. Ctrl+S saves, Escape and Tab lead out.</p>
      ) : syntax ? (
        syntax
      ) : errors.length > 0 ? (
        <FieldErrors errors={errors} />
      ) : (
        <ul className={styles.notes}>
          {notes.map(({ path, message, destructive }) => (
            <li key={`${path} ${message}`} className={destructive ? styles.bad : undefined}>
              {path !== "" && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
