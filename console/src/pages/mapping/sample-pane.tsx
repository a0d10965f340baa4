import { ChevronLeft, ChevronRight, Database, Plus, Trash2 } from "lucide-react";
import { Suspense } from "react";
import { Button } from "../../components/button.tsx";
import { TextView } from "../../components/json-view.tsx";
import { Empty, Skeleton } from "../../components/states.tsx";
import { CodeEditor } from "../integration/lazy-editors.ts";
import styles from "./mapping.module.css";
import { Pane } from "./pane.tsx";
import { mostRecords } from "./sample.ts";
import type { Sample } from "./use-sample.ts";

interface SamplePaneProps {
  readonly sample: Sample;
  /** Which record is shown. */
  readonly index: number;
  readonly onShow: (index: number) => void;
}

/** The records that rules are tried with, one at a time. */
export function SamplePane({ sample, index, onShow }: SamplePaneProps) {
  const { records, isReading, problem, unreadable, read, write, add, remove } = sample;
  const record = records[index];
  const [first, last] = [index === 0, index >= records.length - 1];
  return (
    <Pane
      title="Sample"
      area="sample"
      tools={
        <>
          {records.length > 0 && (
            <span className={styles.turn}>
              <Button
                kind="quiet"
                icon={<ChevronLeft size={16} aria-hidden />}
                label="Record before"
                onPress={() => onShow(index - 1)}
                whyNot={first ? "It is the first" : null}
              />
              <span>
                {index + 1} of {records.length}
              </span>
              <Button
                kind="quiet"
                icon={<ChevronRight size={16} aria-hidden />}
                label="Next record"
                onPress={() => onShow(index + 1)}
                whyNot={last ? "It is the last" : null}
              />
            </span>
          )}
          <Button
            kind="quiet"
            icon={<Plus size={16} aria-hidden />}
            label="Add a record"
            onPress={() => onShow(add())}
            whyNot={records.length >= mostRecords ? `${mostRecords} records are the most` : null}
          />
          {records.length > 0 && (
            <Button
              kind="quiet"
              icon={<Trash2 size={16} aria-hidden />}
              label="Take this record out"
              onPress={() => {
                remove(index);
                onShow(Math.max(0, Math.min(index, records.length - 2)));
              }}
            />
          )}
          {read !== null && (
            <Button
              kind="quiet"
              icon={<Database size={16} aria-hidden />}
              label="Read from the source"
              onPress={() => {
                onShow(0);
                read();
              }}
            />
          )}
        </>
      }
    >
      {isReading && records.length === 0 ? (
        <Skeleton lines={6} />
      ) : record === undefined ? (
        <Empty title={whyEmpty(sample)}>
          {problem !== null && <p>{problem.message}</p>}
          <Button onPress={() => onShow(add())}>Write or paste one</Button>
        </Empty>
      ) : (
        <>
          <div className={styles.fill}>
            {"error" in record && record.isLarge ? (
              <TextView label="Record of the sample" text={record.text} />
            ) : (
              <Suspense fallback={<Skeleton lines={6} />}>
                <CodeEditor label="Record of the sample" value={record.text} onChange={(text) => write(index, text)} />
              </Suspense>
            )}
          </div>
          {"error" in record && (
            <p className={styles.problem} role="alert">
              {record.error}
            </p>
          )}
          {problem !== null && <p className={styles.problem}>The source could not be read: {problem.message}</p>}
          {unreadable !== null && <p className="soft">The source has what is no record: {unreadable}</p>}
        </>
      )}
    </Pane>
  );
}

function whyEmpty({ read, problem }: Sample): string {
  if (read === null) return "Records are sent to this integration";
  return problem === null ? "The source has no records" : "Nothing could be read from the source";
}
