import { unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import styles from "./code-editor.module.css";
import { editorBase, type Language } from "./editor-base.ts";

interface DiffProps {
  readonly label: string;
  readonly before: string;
  readonly after: string;
  readonly language?: Language;
}

/** What changed between two texts, line by line; what did not is folded. Import it lazily: the library is in it. */
export function Diff({ label, before, after, language = "json" }: DiffProps) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      parent: frame.current as HTMLDivElement,
      state: EditorState.create({
        doc: after,
        extensions: [
          lineNumbers(),
          editorBase(language, label),
          EditorState.readOnly.of(true),
          unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }),
        ],
      }),
    });
    return () => view.destroy();
  }, [label, before, after, language]);
  return <div ref={frame} className={styles.diff} />;
}
