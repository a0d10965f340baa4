import { useEffect, useMemo, useRef, useState } from "react";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Config } from "./places.ts";
import { mostRecords, recordsIn, recordText, type Sampled, sampleBody, sampled } from "./sample.ts";
import { previewOf } from "./use-preview.ts";

const fromSource = 10;

export interface Sample {
  readonly records: readonly Sampled[];
  /** While the source is read. */
  readonly isReading: boolean;
  /** Why the source gave nothing. */
  readonly problem: Problem | null;
  /** Why a record of the source could not be read, the first of them; null: all could be. */
  readonly unreadable: string | null;
  /** Null: there is nothing to read, since records are sent to it. */
  readonly read: (() => void) | null;
  /** In the place of a record; a list of records takes it as well. */
  readonly write: (index: number, text: string) => void;
  /** Returns its index. */
  readonly add: () => number;
  readonly remove: (index: number) => void;
}

/** Records to try rules with: the first of the source, and what is typed or pasted. `saved`: the integration as it is. */
export function useSample(id: string, saved: Config): Sample {
  const body = useMemo(() => sampleBody(saved, fromSource), [saved]);
  const [records, setRecords] = useState<readonly Sampled[]>([]);
  const [state, setState] = useState<Pick<Sample, "problem" | "unreadable">>({ problem: null, unreadable: null });
  const [reading, setReading] = useState(1);
  const [isReading, setIsReading] = useState(body !== null);
  const latest = useRef(body);
  latest.current = body;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `reading` asks for it once more
  useEffect(() => {
    const left = new AbortController();
    const read = async () => {
      if (latest.current === null) return;
      setIsReading(true);
      try {
        const preview = await previewOf(id, latest.current, left.signal);
        const found = preview.records.flatMap(({ record }) => (record === null ? [] : sampled(recordText(record))));
        setRecords(found);
        const unreadable = preview.records.find(({ record }) => record === null)?.failure?.message ?? null;
        setState({ problem: null, unreadable });
      } catch (error) {
        if (!left.signal.aborted) setState({ problem: toProblem(error), unreadable: null });
      }
      if (!left.signal.aborted) setIsReading(false);
    };
    void read();
    return () => left.abort();
  }, [id, reading]);
  return {
    ...state,
    records,
    isReading,
    read: body === null ? null : () => setReading(reading + 1),
    write: (index, text) => {
      const several = recordsIn(text) ?? [text];
      setRecords(records.toSpliced(index, 1, ...several.map(sampled)).slice(0, mostRecords));
    },
    add: () => {
      setRecords([...records, sampled("{}")]);
      return records.length;
    },
    remove: (index) => setRecords(records.toSpliced(index, 1)),
  };
}
