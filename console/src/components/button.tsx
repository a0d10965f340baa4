import { LoaderCircle } from "lucide-react";
import { type ComponentProps, type ReactNode, useId, useState } from "react";
import { toProblem } from "../api/problem.ts";
import styles from "./button.module.css";
import { type ButtonKind, buttonClass } from "./button-class.ts";
import { classNames } from "./class-names.ts";
import { toast } from "./toast.tsx";

interface ButtonProps extends Omit<ComponentProps<"button">, "onClick" | "disabled"> {
  readonly kind?: ButtonKind;
  /** Shown alone, with `label` for who does not see it. */
  readonly icon?: ReactNode;
  readonly label?: string;
  /** While its promise is pending the button is busy; what it rejects with is shown. */
  readonly onPress?: () => unknown;
  /** Why it cannot be pressed now; it stays where the keyboard finds it. */
  readonly whyNot?: string | null | undefined;
}

/** A button. What a role may never do is left out instead (`useMay`). */
export function Button({ kind = "plain", icon, label, onPress, whyNot, children, className, ...rest }: ButtonProps) {
  const [busy, setBusy] = useState(false);
  const reason = useId();
  const press = async () => {
    if (busy || whyNot) return;
    try {
      const result = onPress?.();
      if (!(result instanceof Promise)) return;
      setBusy(true);
      await result;
    } catch (error) {
      toast.problem(toProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      {...rest}
      className={classNames(buttonClass(kind, children === undefined), className)}
      aria-label={label}
      title={whyNot ?? rest.title ?? label}
      aria-disabled={busy || Boolean(whyNot) || undefined}
      aria-describedby={whyNot ? reason : rest["aria-describedby"]}
      onClick={(event) => {
        if (rest.type === "submit" && !busy && !whyNot) return;
        event.preventDefault();
        void press();
      }}
    >
      {busy ? <LoaderCircle className={styles.busy} size={16} aria-hidden /> : icon}
      {children}
      {whyNot && (
        <span id={reason} hidden>
          {whyNot}
        </span>
      )}
    </button>
  );
}
