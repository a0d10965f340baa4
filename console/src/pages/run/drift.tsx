import type { RunDetail } from "../../api/types.ts";
import { Panel } from "../../components/page.tsx";
import { RelativeTime } from "../../components/time.tsx";
import styles from "../integration/small-table.module.css";

const kinds = { new_field: "new field", changed_type: "other type", missing_field: "missing field" };

/** What records had that the stream's schema did not know. */
export function Drift({ drift }: Pick<RunDetail, "drift">) {
  return (
    <Panel title="Where records left the schema">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard */}
      <section className={styles.scroll} tabIndex={0} aria-label="Drift">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">What</th>
              <th scope="col">Expected</th>
              <th scope="col">Found</th>
              <th scope="col">Stream</th>
              <th scope="col">Seen</th>
            </tr>
          </thead>
          <tbody>
            {drift.map(({ kind, path, expected, found, connector, stream, version, seen_at: at }) => (
              <tr key={`${connector} ${stream} ${path} ${kind} ${version}`}>
                <th scope="row">
                  <code>{path}</code>
                </th>
                <td>{kinds[kind]}</td>
                <td>{expected ?? "–"}</td>
                <td>{found ?? "–"}</td>
                <td>
                  {connector} {stream}, schema {version}
                </td>
                <td>
                  <RelativeTime at={at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Panel>
  );
}
