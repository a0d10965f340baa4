import { Ban, CircleAlert, Pencil, Redo2 } from "lucide-react";
import type { DeadLetter } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";

/** What became of a dead letter, in a word. */
export function LetterState({ letter }: { readonly letter: DeadLetter }) {
  const { resolution, resolution_reason: reason, corrected_by: by, corrected_at: corrected } = letter;
  if (resolution === "replayed") {
    return (
      <Badge tone="ok" icon={<Redo2 size={14} aria-hidden />} title="A replay delivered it">
        replayed
      </Badge>
    );
  }
  if (resolution === "discarded") {
    return (
      <Badge tone="idle" icon={<Ban size={14} aria-hidden />} title={reason ?? "It is not wanted any more"}>
        discarded
      </Badge>
    );
  }
  if (corrected !== null) {
    return (
      <Badge tone="warn" icon={<Pencil size={14} aria-hidden />} title={`Corrected by ${by}, not yet replayed`}>
        corrected
      </Badge>
    );
  }
  return (
    <Badge tone="bad" icon={<CircleAlert size={14} aria-hidden />} title="It could not be delivered">
      open
    </Badge>
  );
}
