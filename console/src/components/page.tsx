import { ChevronRight } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import styles from "./page.module.css";

interface PageProps {
  readonly title: string;
  /** Beside the title, such as a state. */
  readonly badge?: ReactNode;
  /** Links that lead up, outermost first. */
  readonly crumbs?: readonly ReactNode[];
  readonly actions?: ReactNode;
  /** A line below the title. */
  readonly lead?: ReactNode;
  readonly children: ReactNode;
}

/** A page's head and body. The body is as high as the window, so that a table in it can scroll by itself. */
export function Page({ title, badge, crumbs = [], actions, lead, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · sluice`;
  }, [title]);
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        {crumbs.length > 0 && (
          <nav aria-label="Where this is" className={styles.crumbs}>
            {crumbs.map((crumb, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they never change places
              <span key={at}>
                {crumb}
                <ChevronRight size={13} aria-hidden />
              </span>
            ))}
          </nav>
        )}
        <div className={styles.title}>
          <h1>{title}</h1>
          {badge}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
        {lead && <p className={styles.lead}>{lead}</p>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page with a heading of its own. */
export function Panel({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.panel} aria-label={title}>
      {(title || actions) && (
        <header className={styles.panelHead}>
          {title && <h2>{title}</h2>}
          {actions}
        </header>
      )}
      {children}
    </section>
  );
}

/** A figure with its name. */
export function Figure({ name, children, title }: { name: string; children: ReactNode; title?: string }) {
  return (
    <div className={styles.figure} title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Figures side by side. */
export function Figures({ children }: { children: ReactNode }) {
  return <dl className={styles.figures}>{children}</dl>;
}

/** Filters and what goes with them, above what they filter. */
export function Toolbar({ children, label }: { children: ReactNode; label: string }) {
  return (
    <fieldset className={styles.toolbar} aria-label={label}>
      {children}
    </fieldset>
  );
}
