import { ChevronDown, Search } from "lucide-react";
import { type ReactNode, type Ref, useEffect, useRef, useState } from "react";
import { Checkbox as AriaCheckbox } from "react-aria-components/Checkbox";
import {
  Select as AriaSelect,
  Button,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
} from "react-aria-components/Select";
import { Switch as AriaSwitch } from "react-aria-components/Switch";
import { TextField as AriaTextField, FieldError, Input, TextArea } from "react-aria-components/TextField";
import styles from "./field.module.css";

interface FieldProps {
  readonly label: string;
  /** What belongs here, below the field. */
  readonly help?: ReactNode;
  /** What is wrong with it. */
  readonly error?: string | null | undefined;
  readonly isRequired?: boolean;
  readonly isDisabled?: boolean;
}

interface TextFieldProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly type?: "text" | "password" | "number" | "url" | "datetime-local";
  readonly placeholder?: string;
  readonly autoComplete?: string;
  readonly autoFocus?: boolean;
  readonly name?: string;
  /** More than one line, so many at first. */
  readonly rows?: number;
  readonly isMono?: boolean;
  /** Of more than one line: shown as dots. */
  readonly isHidden?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { label, help, error, rows, isMono, isHidden, placeholder, ...rest } = props;
  const className = `${styles.input} ${isMono ? "mono" : ""} ${isHidden ? styles.dots : ""}`;
  return (
    <AriaTextField {...rest} isInvalid={Boolean(error)} className={styles.field ?? ""} validationBehavior="aria">
      <Label className={styles.label ?? ""}>{label}</Label>
      {rows === undefined ? (
        <Input className={className} placeholder={placeholder} spellCheck={false} />
      ) : (
        <TextArea className={className} placeholder={placeholder} rows={rows} spellCheck={false} />
      )}
      <Below help={help} error={error} />
    </AriaTextField>
  );
}

interface SelectProps<Id extends string> extends FieldProps {
  readonly options: readonly { readonly id: Id; readonly label: string; readonly detail?: string }[];
  readonly value: Id | null;
  readonly onChange: (id: Id) => void;
  readonly placeholder?: string;
  /** Its label stands in it, as filters have it. */
  readonly isInline?: boolean;
  /** Its label is shown elsewhere, such as at the head of a column. */
  readonly isBare?: boolean;
}

export function SelectField<Id extends string>(props: SelectProps<Id>) {
  const { label, help, error, options, value, onChange, placeholder = "Choose …", isInline, isBare, ...rest } = props;
  return (
    <AriaSelect
      {...rest}
      selectedKey={value}
      onSelectionChange={(key) => onChange(key as Id)}
      placeholder={placeholder}
      isInvalid={Boolean(error)}
      className={styles.field ?? ""}
    >
      <Label className={isInline || isBare ? "sr-only" : (styles.label ?? "")}>{label}</Label>
      <Button className={styles.select ?? ""} {...(isInline && { "data-label": label })}>
        <SelectValue className={styles.value ?? ""} />
        <ChevronDown size={15} aria-hidden />
      </Button>
      <Below help={help} error={error} />
      <Popover className={styles.popover ?? ""}>
        <ListBox className={styles.list ?? ""} items={options}>
          {({ id, label: name, detail }) => (
            <ListBoxItem id={id} textValue={name} className={styles.option ?? ""}>
              <Text slot="label">{name}</Text>
              {detail && (
                <Text slot="description" className={styles.help}>
                  {detail}
                </Text>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

interface ChoiceProps {
  readonly children: ReactNode;
  readonly isSelected: boolean;
  readonly onChange: (isSelected: boolean) => void;
  readonly isDisabled?: boolean;
}

export function Checkbox({ children, ...rest }: ChoiceProps) {
  return (
    <AriaCheckbox {...rest} className={styles.choice ?? ""}>
      <span className={styles.box} aria-hidden />
      {children}
    </AriaCheckbox>
  );
}

export function Switch({ children, ...rest }: ChoiceProps) {
  return (
    <AriaSwitch {...rest} className={styles.choice ?? ""}>
      <span className={styles.track} aria-hidden />
      {children}
    </AriaSwitch>
  );
}

interface SearchProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly ref?: Ref<HTMLInputElement>;
}

/**
 * The field that "/" leads to. What is typed is told after a short pause, so that a list is not asked for with each
 * letter, and the URL, which comes back with it later, takes no letter away.
 */
export function SearchField({ label, value, onChange, ref }: SearchProps) {
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    // Changed elsewhere, such as by a link.
    if (value !== told.current) setTyped((told.current = value));
  }, [value]);
  useEffect(() => {
    if (typed === told.current) return;
    const timer = setTimeout(() => latest.current((told.current = typed)), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <label className={styles.search}>
      <Search size={15} aria-hidden />
      <input
        ref={ref}
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        value={typed}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      <kbd aria-hidden>/</kbd>
    </label>
  );
}

function Below({ help, error }: Pick<FieldProps, "help" | "error">) {
  return (
    <>
      {help && (
        <Text slot="description" className={styles.help ?? ""}>
          {help}
        </Text>
      )}
      <FieldError className={styles.error ?? ""}>{error}</FieldError>
    </>
  );
}
