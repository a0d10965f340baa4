import { useState } from "react";
import { api } from "../../api/client.ts";
import type { DeadLetter } from "../../api/types.ts";
import { Confirm } from "../../components/dialog.tsx";
import { TextField } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";

interface DiscardProps {
  readonly letter: DeadLetter;
  readonly onClose: () => void;
  readonly onDone: () => unknown;
}

/** Resolves a dead letter that nobody wants any more: of the version that was looked at, or not at all. */
export function Discard({ letter, onClose, onDone }: DiscardProps) {
  const [reason, setReason] = useState("");
  const discard = async () => {
    await api.patch(
      `/v1/dead-letter/${letter.id}`,
      { resolution: "discarded", reason: reason.trim() },
      { version: letter.version },
    );
    toast.ok("The dead letter is discarded");
    onClose();
    await onDone();
  };
  return (
    <Confirm
      title="Discard this dead letter?"
      action="Discard"
      isDanger
      isOpen
      staysOpen
      onClose={onClose}
      onConfirm={discard}
      whyNot={reason.trim() === "" ? "Say why" : null}
    >
      <p>It is not delivered, and no replay takes it. It stays here as discarded, with who did it and why.</p>
      <TextField label="Reason" value={reason} onChange={setReason} rows={2} isRequired autoFocus />
    </Confirm>
  );
}
