import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { api, randomKey } from "../../api/client.ts";
import { connectorQuery, testConnector } from "../../api/connectors.ts";
import { type FieldError, type Problem, toProblem } from "../../api/problem.ts";
import type { Connector, ConnectorTest, ConnectorType, JsonObject } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import { pruned } from "../../components/schema-form/schema.ts";
import { SchemaForm } from "../../components/schema-form/schema-form.tsx";
import { FieldErrors } from "../../components/states.tsx";
import { toast } from "../../components/toast.tsx";
import { useMay } from "../../layout/me.ts";
import { ConnectorConflict } from "./connector-conflict.tsx";
import type { ConnectorDraft } from "./connector-draft.ts";
import styles from "./connectors.module.css";
import { Tested } from "./tested.tsx";

interface ConnectorFormProps {
  readonly type: ConnectorType;
  /** What is changed; null: a new one is made. */
  readonly connector: Connector | null;
  readonly draft: ConnectorDraft;
  readonly onDraft: (draft: ConnectorDraft) => void;
  /** It is saved, and tested where that is allowed. */
  readonly onSaved: (connector: Connector, tested: ConnectorTest | null) => void;
  /** Beside the button. */
  readonly children?: ReactNode;
}

/** The form of a connector: name and config. What the server or the far side says is wrong stands at its field. */
export function ConnectorForm({ type, connector, draft, onDraft, onSaved, children }: ConnectorFormProps) {
  const client = useQueryClient();
  const mayTest = useMay("connectors:test");
  const form = useRef<HTMLFormElement>(null);
  // The connector that the form is of by now: a test that fails leaves it saved.
  const [base, setBase] = useState(connector);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [tested, setTested] = useState<ConnectorTest | null>(null);
  const [theirs, setTheirs] = useState<Connector | null>(null);
  const [isBusy, setBusy] = useState(false);
  // The fields begin anew with each.
  const [taken, setTaken] = useState(0);
  // As of now: it is saved a while after the button.
  const latest = useRef(onSaved);
  latest.current = onSaved;
  const key = useRef({ body: "", key: "" });
  const failure = tested?.error;
  const found = useMemo<readonly FieldError[]>(
    () => problem?.errors ?? (failure?.path === undefined ? [] : [{ path: failure.path, message: failure.message }]),
    [problem, failure],
  );
  // What was wrong is so until it is another value.
  const sent = useRef(draft);
  const errors = useMemo(() => {
    const standing = found.filter(({ path }) => textAt(draft, path) === textAt(sent.current, path));
    return new Map(standing.map(({ path, message }) => [path, message]));
  }, [found, draft]);

  // Where the keyboard goes on.
  useEffect(() => {
    if (found.length === 0) return;
    form.current?.querySelector<HTMLElement>("[data-invalid] :is(input, textarea, button)")?.focus();
  }, [found]);

  const save = async (over: Connector | null) => {
    const config = pruned(type.config, draft.config) ?? {};
    const body = { name: draft.name.trim(), type: over?.type ?? type.type, config };
    if (over !== null) return api.put<Connector>(`/v1/connectors/${over.id}`, body, { version: over.version });
    // The same again, such as after an answer that never came, makes no second one.
    const text = JSON.stringify(body);
    if (key.current.body !== text) key.current = { body: text, key: randomKey() };
    return api.post<Connector>("/v1/connectors", body, { idempotencyKey: key.current.key });
  };
  const submit = async (over: Connector | null) => {
    setProblem(null);
    setTested(null);
    sent.current = draft;
    try {
      const saved = await save(over);
      setBase(saved);
      setTheirs(null);
      client.setQueryData(connectorQuery(saved.id).queryKey, saved);
      void client.invalidateQueries({ queryKey: ["connectors"] });
      const result = mayTest ? await testConnector(saved.id) : null;
      setTested(result);
      if (result?.status !== "failed") toast.ok(`${saved.name} is saved${result === null ? "" : ", and it answers"}`);
      latest.current(saved, result);
    } catch (error) {
      const failed = toProblem(error);
      if (failed.status === 412 && over !== null)
        setTheirs(await client.fetchQuery({ ...connectorQuery(over.id), staleTime: 0 }));
      else setProblem(failed);
    }
  };
  const onSubmit = async (event?: FormEvent) => {
    event?.preventDefault();
    if (isBusy) return;
    setBusy(true);
    await submit(base).finally(() => setBusy(false));
  };
  const elsewhere = found.filter(({ path }) => path !== "name" && !path.startsWith("config."));
  return (
    <form
      ref={form}
      className={styles.form}
      onSubmit={(event) => void onSubmit(event)}
      noValidate
      aria-label={`${type.title} connector`}
    >
      <TextField
        label="Name"
        help="What integrations call it by: small letters, digits and hyphens."
        value={draft.name}
        onChange={(name) => onDraft({ ...draft, name })}
        error={errors.get("name")}
        isRequired
        autoComplete="off"
      />
      <SchemaForm
        key={taken}
        schema={type.config}
        value={draft.config}
        onChange={(config) => onDraft({ ...draft, config })}
        path="config"
        errors={errors}
      />
      {problem !== null && (
        <div className={styles.problem} role="alert">
          {found.length > 0 && elsewhere.length === 0 ? (
            <p>What is marked needs another value.</p>
          ) : (
            <p>
              {problem.message} <code>{problem.code}</code>
            </p>
          )}
          <FieldErrors errors={elsewhere} />
        </div>
      )}
      {tested?.status === "failed" && (
        <div role="alert">
          <p>It is saved, but it could not be reached as it is:</p>
          <Tested tested={tested} />
        </div>
      )}
      <div className={styles.buttons}>
        <Button kind="primary" type="submit" whyNot={isBusy ? "It is being saved and tested" : null}>
          {isBusy ? "Saving …" : mayTest ? "Save and test" : "Save"}
        </Button>
        {children}
      </div>
      {theirs !== null && base !== null && (
        <ConnectorConflict
          schema={type.config}
          base={base}
          theirs={theirs}
          mine={draft}
          onTake={() => {
            setBase(theirs);
            setTheirs(null);
            setTaken(taken + 1);
            onDraft({ name: theirs.name, config: theirs.config });
          }}
          onOverwrite={() => submit(theirs)}
          onClose={() => setTheirs(null)}
        />
      )}
    </form>
  );
}

/** A part of a draft, by the first names of its path: all below them counts as one. */
function textAt(draft: ConnectorDraft, path: string): string {
  const [first, second = ""] = path.split(/[.[]/);
  return JSON.stringify(first === "config" ? (draft.config[second] ?? null) : draft.name);
}
