import { type ReactNode, useState } from "react";
import type { Json } from "../../api/types.ts";
import { Button } from "../button.tsx";
import { TextField } from "../field.tsx";
import { isReference, type Schema } from "./schema.ts";
import styles from "./schema-form.module.css";

interface InputProps {
  readonly label: string;
  readonly isRequired: boolean;
  readonly help: ReactNode;
  readonly error: string | undefined;
  readonly placeholder: string;
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
}

/** How the API shows a secret that it has. */
const kept = "***";

/**
 * Hidden while it is typed, but for references, which are no secrets. One that is there already is kept until another
 * one is typed, or it is taken away.
 */
export function SecretField({ value, onChange, placeholder, isLong, help, ...rest }: InputProps & { isLong: boolean }) {
  const [was] = useState(value);
  const text = typeof value === "string" && value !== kept ? value : "";
  const isKept = value === kept;
  return (
    <div className={styles.secret}>
      <TextField
        {...rest}
        value={text}
        onChange={(typed) => onChange(typed === "" ? (was === kept ? kept : undefined) : typed)}
        placeholder={
          isKept
            ? "It is kept; type another one to replace it"
            : was === kept && text === ""
              ? "It is taken away"
              : placeholder
        }
        help={
          <>
            {help} A reference such as <code>${"{env:SLUICE_SECRET_X}"}</code> or{" "}
            <code>${"{vault:sluice/shop#key}"}</code> keeps it elsewhere.
          </>
        }
        autoComplete="new-password"
        {...(isLong
          ? { rows: 3, isMono: true, isHidden: !isReference(text) }
          : { type: isReference(text) ? "text" : "password" })}
      />
      {was === kept && !rest.isRequired && (
        <Button onPress={() => onChange(isKept ? undefined : kept)}>{isKept ? "Take away" : "Keep it"}</Button>
      )}
    </div>
  );
}

/** As it was typed while it is no number: whoever checks it says so. */
export function NumberField({ value, onChange, ...rest }: InputProps) {
  const [typed, setTyped] = useState(value === undefined ? "" : String(value));
  const shown = readNumber(typed) === value ? typed : value === undefined ? "" : String(value);
  return (
    <TextField
      {...rest}
      value={shown}
      onChange={(text) => {
        setTyped(text);
        onChange(readNumber(text));
      }}
      autoComplete="off"
    />
  );
}

function readNumber(text: string): number | string | undefined {
  if (text.trim() === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

/** A list, one a line. */
export function LinesField({ value, onChange, schema, help, ...rest }: InputProps & { schema: Schema }) {
  const items = Array.isArray(value) ? value : [];
  const [typed, setTyped] = useState(items.join("\n"));
  const isNumbers =
    typeof schema !== "boolean" && JSON.stringify(schema.items).match(/"type":"(integer|number)"/) !== null;
  const read = (text: string): Json[] => {
    const lines = text.split("\n").map((line) => line.trim());
    return lines.filter((line) => line !== "").map((line) => (isNumbers ? (readNumber(line) as Json) : line));
  };
  const shown = JSON.stringify(read(typed)) === JSON.stringify(items) ? typed : items.join("\n");
  return (
    <TextField
      {...rest}
      help={<>{help} One a line.</>}
      rows={2}
      value={shown}
      onChange={(text) => {
        setTyped(text);
        const lines = read(text);
        onChange(lines.length === 0 ? undefined : lines);
      }}
    />
  );
}

/** Anything, as JSON. */
export function JsonField({ value, onChange, error, label, ...rest }: InputProps) {
  const [typed, setTyped] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [wrong, setWrong] = useState<string | null>(null);
  return (
    <TextField
      {...rest}
      label={`${label} (JSON)`}
      rows={6}
      isMono
      value={typed}
      error={wrong ?? error}
      onChange={(text) => {
        setTyped(text);
        if (text.trim() === "") {
          setWrong(null);
          onChange(undefined);
          return;
        }
        try {
          onChange(JSON.parse(text) as Json);
          setWrong(null);
        } catch (problem) {
          setWrong(problem instanceof Error ? problem.message : "is no JSON");
          // Not taken for what was there before: whoever checks it refuses a text.
          onChange(text);
        }
      }}
    />
  );
}
