import { CircleAlert, Inbox } from "lucide-react";
import type { ReactNode } from "react";
import type { Problem } from "../api/problem.ts";
import { Button } from "./button.tsx";
import { CopyId } from "./copy-id.tsx";
import styles from "./states.module.css";

/** There is nothing, and why; `children`: what to do about it. */
export function Empty({ title, icon, children }: { title: string; icon?: ReactNode; children?: ReactNode }) {
  return (
    <div className={styles.state}>
      {icon ?? <Inbox size={28} aria-hidden />}
      <h2>{title}</h2>
      {children && <div className={styles.more}>{children}</div>}
    </div>
  );
}

/** What went wrong, in the server's words, with what to quote to who looks into it. */
export function ErrorState({ problem, title, onRetry }: { problem: Problem; title?: string; onRetry?: () => unknown }) {
  return (
    <div className={`${styles.state} ${styles.bad}`} role="alert">
      <CircleAlert size={28} aria-hidden />
      <h2>{title ?? heading(problem)}</h2>
      <p className={styles.detail}>{problem.message}</p>
      <FieldErrors errors={problem.errors} />
      <p className="soft">
        <code>{problem.code}</code>
        {problem.requestId !== null && (
          <>
            {" · request "}
            <CopyId id={problem.requestId} />
          </>
        )}
      </p>
      {onRetry && <Button onPress={onRetry}>Try again</Button>}
    </div>
  );
}

function heading({ status }: Problem): string {
  if (status === 0) return "No answer";
  if (status === 403) return "Not allowed";
  if (status === 404) return "Not found";
  return status >= 500 ? "The server could not do this" : "This did not work";
}

/** What is wrong by field. */
export function FieldErrors({ errors }: { errors: Problem["errors"] }) {
  if (errors.length === 0) return null;
  return (
    <ul className={styles.errors}>
      {errors.map(({ path, message }) => (
        <li key={`${path} ${message}`}>
          {path !== "" && <code>{path}</code>} {message}
        </li>
      ))}
    </ul>
  );
}

/** Lines of what is on its way. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div className={styles.skeleton} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines are all alike
        <span key={line} />
      ))}
    </div>
  );
}
