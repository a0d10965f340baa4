import { Label, Radio, RadioGroup } from "react-aria-components/RadioGroup";
import type { ConnectorType } from "../../api/types.ts";
import styles from "./connectors.module.css";

interface TypeChoiceProps {
  readonly label: string;
  readonly types: readonly Pick<ConnectorType, "type" | "title" | "description">[];
  readonly value: string | null;
  readonly onChange: (type: string) => void;
}

/** What connectors can be made of, side by side; the arrow keys go from one to the next. */
export function TypeChoice({ label, types, value, onChange }: TypeChoiceProps) {
  return (
    <RadioGroup className={styles.choice ?? ""} value={value} onChange={onChange}>
      <Label className={styles.choiceLabel ?? ""}>{label}</Label>
      <div className={styles.cards}>
        {types.map(({ type, title, description }) => (
          <Radio key={type} value={type} className={styles.card ?? ""} aria-label={title}>
            <strong>{title}</strong>
            <span className={styles.cardText}>{description}</span>
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
