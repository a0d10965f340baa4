import { ChevronDown } from "lucide-react";
import type { ReactNode } from "react";
import {
  ComboBox as AriaComboBox,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Text,
} from "react-aria-components/ComboBox";
import styles from "./field.module.css";

interface ComboFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** What there is; anything else may be typed. */
  readonly options: readonly { readonly id: string; readonly detail?: string | undefined }[];
  readonly help?: ReactNode;
  readonly error?: string | null | undefined;
  readonly isRequired?: boolean;
  readonly placeholder?: string;
}

/** A text, with what there is to choose from as one types. */
export function ComboField({ label, value, onChange, options, help, error, placeholder, ...rest }: ComboFieldProps) {
  return (
    <AriaComboBox
      {...rest}
      className={styles.field ?? ""}
      allowsCustomValue
      // What there is comes by itself where nothing is chosen yet; else it would only be in the way.
      menuTrigger={value === "" ? "focus" : "input"}
      inputValue={value}
      onInputChange={onChange}
      defaultItems={options}
      isInvalid={Boolean(error)}
      validationBehavior="aria"
    >
      <Label className={styles.label ?? ""}>{label}</Label>
      <div className={styles.combo}>
        <Input className={styles.input ?? ""} placeholder={placeholder} spellCheck={false} autoComplete="off" />
        <Button className={styles.comboButton ?? ""} aria-label={`Show all: ${label}`}>
          <ChevronDown size={15} aria-hidden />
        </Button>
      </div>
      {help && (
        <Text slot="description" className={styles.help ?? ""}>
          {help}
        </Text>
      )}
      <FieldError className={styles.error ?? ""}>{error}</FieldError>
      <Popover className={styles.popover ?? ""}>
        <ListBox<(typeof options)[number]> className={styles.list ?? ""}>
          {({ id, detail }) => (
            <ListBoxItem id={id} textValue={id} className={styles.option ?? ""}>
              <Text slot="label">{id}</Text>
              {detail && (
                <Text slot="description" className={styles.help ?? ""}>
                  {detail}
                </Text>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaComboBox>
  );
}
