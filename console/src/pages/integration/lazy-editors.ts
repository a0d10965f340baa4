import { lazy } from "react";

/** CodeMirror comes when it is shown first. */
export const CodeEditor = lazy(() =>
  import("../../components/code-editor.tsx").then(({ CodeEditor: it }) => ({ default: it })),
);
export const Diff = lazy(() => import("../../components/diff.tsx").then(({ Diff: it }) => ({ default: it })));
