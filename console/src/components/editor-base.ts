import { json } from "@codemirror/lang-json";
import { defaultHighlightStyle, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

export type Language = "json" | "text";

/** What editors and comparisons look like, in light and dark. The page's policy wants the nonce on their styles. */
export function editorBase(language: Language, label: string): Extension {
  const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce;
  return [
    nonce ? EditorView.cspNonce.of(nonce) : [],
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    EditorView.lineWrapping,
    language === "json" ? json() : [],
    syntaxHighlighting(colors),
    look,
  ];
}

/** The colours that CodeMirror comes with are made for light. */
const colors = HighlightStyle.define(
  defaultHighlightStyle.specs.map((spec) =>
    spec.color ? { ...spec, color: `light-dark(${spec.color}, color-mix(in oklab, ${spec.color} 42%, white))` } : spec,
  ),
);

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "12.5px", height: "100%" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--text-soft)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-collapsedLines": { background: "var(--sunken)", color: "var(--text-soft)" },
  // Its signs are in few fonts.
  ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: '""' },
  "&.cm-merge-b .cm-changedLine, .cm-insertedLine": { backgroundColor: "var(--ok-bg)" },
  ".cm-deletedChunk": { backgroundColor: "var(--bad-bg)" },
});
