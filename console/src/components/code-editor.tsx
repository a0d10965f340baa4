import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, indentOnInput } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, type Extension, Prec } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import styles from "./code-editor.module.css";
import { editorBase, type Language } from "./editor-base.ts";

interface CodeEditorProps {
  /** What is edited, for who does not see it. */
  readonly label: string;
  readonly value: string;
  readonly onChange?: (value: string) => void;
  readonly language?: Language;
  readonly isReadOnly?: boolean;
  /** Completions, linters and marks. They must stay the same between renderings. */
  readonly extensions?: Extension;
}

const none: Extension = [];

/**
 * An editor of code, CodeMirror's. Escape and then Tab leads out of it by keyboard. Import it lazily: the library is
 * in it. It is as high as what it stands in.
 */
export function CodeEditor(props: CodeEditorProps) {
  const { label, value, onChange, language = "json", isReadOnly = false, extensions = none } = props;
  const frame = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const more = useRef(new Compartment());
  const latest = useRef({ value, onChange, extensions });
  latest.current = { value, onChange, extensions };

  useEffect(() => {
    const editor = new EditorView({
      parent: frame.current as HTMLDivElement,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          more.current.of(latest.current.extensions),
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          highlightActiveLine(),
          Prec.low(keymap.of([...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab])),
          editorBase(language, label),
          EditorState.readOnly.of(isReadOnly),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, [label, language, isReadOnly]);
  useEffect(() => view.current?.dispatch({ effects: more.current.reconfigure(extensions) }), [extensions]);
  useEffect(() => {
    const editor = view.current;
    const before = editor?.state.doc.toString();
    // Not what was typed just now, which came back by onChange.
    if (editor && before !== undefined && before !== value) editor.dispatch({ changes: difference(before, value) });
  }, [value]);

  return <div ref={frame} className={styles.editor} />;
}

/** What is the same at both ends stays, and with it where one reads. */
function difference(before: string, after: string) {
  const shorter = Math.min(before.length, after.length);
  let from = 0;
  while (from < shorter && before[from] === after[from]) from++;
  let same = 0;
  while (same < shorter - from && before.at(-1 - same) === after.at(-1 - same)) same++;
  return { from, to: before.length - same, insert: after.slice(from, after.length - same) };
}
