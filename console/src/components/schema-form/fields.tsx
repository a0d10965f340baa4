import { Plus, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { Json, JsonObject } from "../../api/types.ts";
import { Button } from "../button.tsx";
import { Checkbox, SelectField, TextField } from "../field.tsx";
import { JsonField, LinesField, NumberField, SecretField } from "./inputs.tsx";
import {
  choicesOf,
  defaultOf,
  descriptionOf,
  hasShape,
  kindOf,
  labelOf,
  type Member,
  membersOf,
  pathOf,
  type Schema,
  variantsOf,
} from "./schema.ts";
import styles from "./schema-form.module.css";

export type Errors = ReadonlyMap<string, string>;

interface PartProps {
  readonly schema: Schema;
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
  readonly path: string;
  readonly errors: Errors;
}

interface InputProps extends PartProps {
  readonly label: string;
  readonly isRequired: boolean;
}

/** The members of an object. Those that hold more than a value come last, folded where there is nothing in them. */
export function Fields({ schema, value, onChange, path, errors }: PartProps) {
  const given = asObject(value);
  const members = membersOf(schema, value);
  const isFolded = ({ schema: each }: Member) => ["object", "map", "json", "variants"].includes(kindOf(each));
  const change = (name: string, part: Json | undefined) => {
    const { [name]: _, ...others } = given;
    onChange(part === undefined ? others : { ...others, [name]: part });
  };
  const inputOf = ({ name, schema: each, isRequired }: Member) => (
    <Input
      key={name}
      label={labelOf(name)}
      schema={each}
      isRequired={isRequired}
      value={given[name]}
      onChange={(part) => change(name, part)}
      path={pathOf(path, name)}
      errors={errors}
    />
  );
  return (
    <>
      {members.filter((each) => !isFolded(each)).map(inputOf)}
      {members.filter(isFolded).map(inputOf)}
    </>
  );
}

function Input(props: InputProps) {
  const { label, schema, isRequired, value, onChange, path, errors } = props;
  const description = descriptionOf(schema);
  const initial = defaultOf(schema);
  const common = {
    label,
    isRequired,
    help: description && <Words text={description} />,
    error: errors.get(path),
    placeholder: initial === undefined ? "" : typeof initial === "string" ? initial : JSON.stringify(initial),
  };
  switch (kindOf(schema)) {
    case "text":
      return (
        <TextField
          {...common}
          value={typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value)}
          onChange={(text) => onChange(text === "" ? undefined : text)}
          autoComplete="off"
          {...(isLong(description) && { rows: 3, isMono: true })}
        />
      );
    case "secret":
      return <SecretField {...common} isLong={isLong(description)} value={value} onChange={onChange} />;
    case "number":
      return <NumberField {...common} value={value} onChange={onChange} />;
    case "lines":
      return <LinesField {...common} schema={schema} value={value} onChange={onChange} />;
    case "boolean":
      return <Flag {...props} />;
    case "choice":
      return <Choice {...props} />;
    case "variants":
      return <Variants {...props} />;
    case "object":
      return (
        <Fold {...props}>
          <Fields schema={schema} value={value} onChange={onChange} path={path} errors={errors} />
        </Fold>
      );
    case "map":
      return (
        <Fold {...props}>
          <MapFields {...props} />
        </Fold>
      );
    case "json":
      return (
        <Fold {...props}>
          <JsonField {...common} help={undefined} value={value} onChange={onChange} />
        </Fold>
      );
  }
}

/** Certificates and queries have lines, which a field of one line would lose. */
const isLong = (description = ""): boolean => /\b(PEM|SQL|text of a)\b/.test(description);

const asObject = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

function Flag({ label, schema, value, onChange, path, errors }: InputProps) {
  const initial = defaultOf(schema) === true;
  const description = descriptionOf(schema);
  const error = errors.get(path);
  return (
    <div className={styles.flag}>
      <Checkbox
        isSelected={typeof value === "boolean" ? value : initial}
        onChange={(isSelected) =>
          onChange(isSelected === initial && defaultOf(schema) !== undefined ? undefined : isSelected)
        }
      >
        {label}
      </Checkbox>
      {description && (
        <p className={styles.help}>
          <Words text={description} />
        </p>
      )}
      {error && <p className={styles.error}>{error}</p>}
    </div>
  );
}

const notSet = "";

function Choice({ label, schema, isRequired, value, onChange, path, errors }: InputProps) {
  const choices = choicesOf(schema) ?? [];
  const initial = defaultOf(schema);
  const nameOf = (choice: Json) => (typeof choice === "string" ? choice : JSON.stringify(choice));
  const left = initial === undefined ? "Left out" : `${nameOf(initial)} (default)`;
  const description = descriptionOf(schema);
  return (
    <SelectField
      label={label}
      isRequired={isRequired}
      options={[
        ...(isRequired ? [] : [{ id: notSet, label: left }]),
        ...choices.map((choice) => ({ id: JSON.stringify(choice), label: nameOf(choice) })),
      ]}
      value={value === undefined ? (isRequired ? null : notSet) : JSON.stringify(value)}
      onChange={(id) => onChange(id === notSet ? undefined : (JSON.parse(id) as Json))}
      help={description && <Words text={description} />}
      error={errors.get(path)}
    />
  );
}

/** Which shape the value has, and then its fields. */
function Variants(props: InputProps) {
  const { label, schema, isRequired, value, onChange, path, errors } = props;
  const variants = variantsOf(schema);
  const at = value === undefined ? -1 : variants.findIndex((each) => hasShape(each.schema, value));
  const shape = variants[at]?.schema;
  const begin = (id: string) => {
    const chosen = variants[Number(id)]?.schema;
    onChange(id === notSet || chosen === undefined ? undefined : beginning(chosen));
  };
  return (
    <Fold {...props}>
      <SelectField
        label={`${label}: form`}
        options={[
          ...(isRequired ? [] : [{ id: notSet, label: "Left out" }]),
          ...variants.map((each, index) => ({ id: String(index), label: each.label })),
        ]}
        value={at < 0 ? (isRequired ? null : notSet) : String(at)}
        onChange={begin}
        error={shape === undefined ? errors.get(path) : null}
      />
      {shape !== undefined && kindOf(shape) === "object" && (
        <Fields schema={shape} value={value} onChange={onChange} path={path} errors={errors} />
      )}
      {shape !== undefined && kindOf(shape) !== "object" && (
        <Input
          {...props}
          schema={withoutDescription(shape)}
          isRequired
          onChange={(part) => onChange(part ?? beginning(shape))}
        />
      )}
    </Fold>
  );
}

const withoutDescription = (schema: Schema): Schema => {
  if (typeof schema === "boolean") return schema;
  const { description: _, ...rest } = schema;
  return rest;
};

/** What a shape begins as, of that shape. */
function beginning(schema: Schema): Json {
  const initial = defaultOf(schema);
  if (initial !== undefined) return initial;
  switch (kindOf(schema)) {
    case "boolean":
      return true;
    case "number":
      return 0;
    case "text":
    case "secret":
      return "";
    case "lines":
      return [];
    default:
      return {};
  }
}

/** Values by names that who fills the form in gives. */
function MapFields({ label, schema, value, onChange, path, errors }: InputProps) {
  const given = asObject(value);
  const [name, setName] = useState("");
  const each = (typeof schema === "boolean" ? true : schema.additionalProperties) as Schema;
  const isTaken = Object.hasOwn(given, name);
  const add = () => {
    onChange({ ...given, [name]: beginning(each) });
    setName("");
  };
  const remove = (entry: string) => {
    const { [entry]: _, ...others } = given;
    onChange(Object.keys(others).length === 0 ? undefined : others);
  };
  return (
    <>
      {Object.entries(given).map(([entry, part]) => (
        <div key={entry} className={styles.entry}>
          <div className={styles.fields}>
            <Input
              label={entry}
              schema={each}
              isRequired={false}
              value={part}
              onChange={(changed) => onChange({ ...given, [entry]: changed ?? beginning(each) })}
              path={pathOf(path, entry)}
              errors={errors}
            />
          </div>
          <Button icon={<Trash2 size={16} aria-hidden />} label={`Remove ${entry}`} onPress={() => remove(entry)} />
        </div>
      ))}
      <div className={styles.add}>
        <TextField
          label={`${label}: new name`}
          value={name}
          onChange={setName}
          autoComplete="off"
          error={isTaken ? "There is one of this name" : null}
        />
        <Button
          icon={<Plus size={16} aria-hidden />}
          onPress={add}
          whyNot={name === "" ? "It needs a name" : isTaken ? "There is one of this name" : null}
        >
          Add
        </Button>
      </div>
    </>
  );
}

/** Folded while there is nothing in it that is set, required or wrong. */
function Fold({
  label,
  schema,
  isRequired,
  value,
  path,
  errors,
  children,
}: InputProps & { readonly children: ReactNode }) {
  const isWrong = [...errors.keys()].some(
    (each) => each === path || each.startsWith(`${path}.`) || each.startsWith(`${path}[`),
  );
  const [chosen, choose] = useState<boolean | null>(null);
  const isOpen = isWrong || (chosen ?? (isRequired || value !== undefined));
  const description = descriptionOf(schema);
  const error = errors.get(path);
  return (
    <details
      className={styles.fold}
      open={isOpen}
      onToggle={(event) => {
        if (event.currentTarget.open !== isOpen) choose(event.currentTarget.open);
      }}
    >
      <summary>
        <span className={styles.foldName}>{label}</span>
        {description && !isOpen && <span className={styles.hint}>{description}</span>}
      </summary>
      {isOpen && (
        <fieldset className={styles.fields} aria-label={label}>
          {description && (
            <p className={styles.help}>
              <Words text={description} />
            </p>
          )}
          {error && <p className={styles.error}>{error}</p>}
          {children}
        </fieldset>
      )}
    </details>
  );
}

/** A description, with what stands in backticks as code. */
function Words({ text }: { readonly text: string }) {
  return text.split("`").map((part, at) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never change places
    at % 2 === 1 ? <code key={at}>{part}</code> : part,
  );
}
