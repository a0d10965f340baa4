import { X } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components/Modal";
import { type Problem, toProblem } from "../api/problem.ts";
import { Button } from "./button.tsx";
import styles from "./dialog.module.css";
import { FieldErrors } from "./states.tsx";

interface DialogProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** Buttons at its end, instead of a cross at its top. */
  readonly actions?: ReactNode;
  readonly size?: "small" | "large";
}

/** Above the page, which waits; Escape closes it, and the focus goes back to where it was. */
export function Dialog({ title, isOpen, onClose, children, actions, size = "small" }: DialogProps) {
  return (
    <ModalOverlay
      className={styles.overlay ?? ""}
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable
    >
      <Modal className={`${styles.modal} ${styles[size]}`}>
        <AriaDialog className={styles.dialog ?? ""}>
          <header className={styles.head}>
            <Heading slot="title">{title}</Heading>
            <Button kind="quiet" icon={<X size={16} aria-hidden />} label="Close" onPress={onClose} />
          </header>
          <div className={styles.body}>{children}</div>
          {actions && <footer className={styles.actions}>{actions}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

interface ConfirmProps extends Pick<DialogProps, "title" | "isOpen" | "onClose" | "children"> {
  /** What the button says: the deed, not "OK". */
  readonly action: string;
  readonly isDanger?: boolean;
  /** Closes the dialog where it resolves; what it rejects with is shown in it. */
  readonly onConfirm: () => Promise<unknown>;
  /** What comes after it is the caller's to show. */
  readonly staysOpen?: boolean;
  readonly whyNot?: string | null;
}

/** Asks before something is done, or for what it takes (a form in `children`). */
export function Confirm({
  title,
  isOpen,
  onClose,
  children,
  action,
  isDanger,
  onConfirm,
  staysOpen,
  whyNot,
}: ConfirmProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const close = () => {
    setProblem(null);
    onClose();
  };
  const confirm = async () => {
    if (whyNot) return;
    setProblem(null);
    try {
      await onConfirm();
      if (!staysOpen) close();
    } catch (error) {
      setProblem(toProblem(error));
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void confirm();
  };
  return (
    <Dialog
      title={title}
      isOpen={isOpen}
      onClose={close}
      actions={
        <>
          <Button onPress={close}>Cancel</Button>
          <Button kind={isDanger ? "danger" : "primary"} onPress={confirm} whyNot={whyNot}>
            {action}
          </Button>
        </>
      }
    >
      <form onSubmit={submit} className={styles.form}>
        {children}
        {problem && (
          <div className={styles.problem} role="alert">
            {problem.errors.length > 0 ? <FieldErrors errors={problem.errors} /> : <p>{problem.message}</p>}
          </div>
        )}
        {/* Enter in a field confirms. */}
        <input type="submit" hidden />
      </form>
    </Dialog>
  );
}
