import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import styles from "./copy-id.module.css";

/** An id, cut short, that is copied whole. */
export function CopyId({ id, length = 8 }: { id: string; length?: number }) {
  return (
    <span className={styles.id}>
      {/* The last characters of a UUIDv7 tell ids of the same moment apart. */}
      <code title={id}>{id.length <= length ? id : `…${id.slice(-length)}`}</code>
      <CopyButton text={id} label={`Copy ${id}`} />
    </span>
  );
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className={styles.copy}
      aria-label={copied ? "Copied" : label}
      title={copied ? "Copied" : label}
      onClick={(event) => {
        event.stopPropagation();
        void copy(text).then(() => setCopied(true));
      }}
    >
      {copied ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
    </button>
  );
}

async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // The clipboard is there on https and localhost only.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
