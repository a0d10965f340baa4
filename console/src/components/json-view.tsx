import { useMemo, useState } from "react";
import type { Json } from "../api/types.ts";
import { bytes } from "../lib/format.ts";
import { Button } from "./button.tsx";
import { CopyButton } from "./copy-id.tsx";
import styles from "./json-view.module.css";

/** A browser lays out so much text without a stop, and so much more each time that it is asked for. */
const shownAtFirst = 50_000;
const step = 150_000;

/** A value as JSON, as text and nothing else, whatever stands in it. Of a large one the beginning, until asked for more. */
export function JsonView({ value, label }: { value: Json | undefined; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "", [value]);
  return <TextView text={text} label={label} />;
}

/** Text as it came, such as what could not be read as a record. */
export function TextView({ text, label }: { text: string; label: string }) {
  const [limit, setLimit] = useState(shownAtFirst);
  const isCut = text.length > limit;
  return (
    <figure className={styles.view}>
      <div className={styles.tools}>
        <span className="soft">{bytes(text.length)}</span>
        <CopyButton text={text} label={`Copy ${label}`} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard scrolls it */}
      <section className={styles.scroller} aria-label={label} tabIndex={0}>
        <pre>{isCut ? text.slice(0, limit) : text}</pre>
      </section>
      {isCut && (
        <div className={styles.more}>
          <span>The first {bytes(limit)} are shown.</span>
          <Button onPress={() => setLimit(limit + step)}>Show more</Button>
        </div>
      )}
    </figure>
  );
}
