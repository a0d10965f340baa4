import type { ReactNode } from "react";
import styles from "./mapping.module.css";

interface PaneProps {
  readonly title: string;
  readonly area: "sample" | "rules" | "result";
  /** Beside the title. */
  readonly tools?: ReactNode;
  readonly children: ReactNode;
}

/** One of the three parts side by side, as high as the page has room. */
export function Pane({ title, area, tools, children }: PaneProps) {
  return (
    <section className={styles.pane} aria-label={title} data-area={area}>
      <header className={styles.head}>
        <h2>{title}</h2>
        {tools && <div className={styles.tools}>{tools}</div>}
      </header>
      {children}
    </section>
  );
}
