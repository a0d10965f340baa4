import { Panel } from "../../components/page.tsx";
import { useMe } from "../../layout/me.ts";
import styles from "./settings.module.css";

/** Each may what the one before it may, and more. */
export const roles = [
  { id: "viewer", label: "Viewer", detail: "Looks at everything but keys and the audit log." },
  {
    id: "operator",
    label: "Operator",
    detail: "Also tests connectors, enables and disables, starts and cancels runs, corrects and replays dead letters.",
  },
  { id: "editor", label: "Editor", detail: "Also makes and changes connectors and integrations, and previews." },
  {
    id: "admin",
    label: "Admin",
    detail: "Also makes and revokes keys, reads the audit log, and sees to plugins and secrets.",
  },
] as const;

/** What each role may, and what who is signed in may. */
export function Roles() {
  const me = useMe();
  return (
    <>
      <Panel title="Roles">
        <dl className={styles.roles}>
          {roles.map(({ id, label, detail }) => (
            <div key={id} data-own={id === me.role}>
              <dt>
                {label}
                {id === me.role && " (you)"}
              </dt>
              <dd>{detail}</dd>
            </div>
          ))}
        </dl>
      </Panel>
      <Panel title="What you may">
        <p>
          You are signed in as <strong>{me.name}</strong>
          {me.owner === null ? ", and see everything." : `, and see what team ${me.owner} has made.`}
        </p>
        <ul className={styles.scopes} aria-label="Scopes">
          {me.scopes.map((scope) => (
            <li key={scope}>
              <code>{scope}</code>
            </li>
          ))}
        </ul>
      </Panel>
    </>
  );
}
