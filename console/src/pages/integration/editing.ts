import { jsonParseLinter } from "@codemirror/lang-json";
import { linter } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { keymap } from "@codemirror/view";
import type { Finding } from "./config-text.ts";

const syntax = jsonParseLinter();

/** Marks what is wrong with a text, by its syntax and by what was found in it, and saves with Ctrl or Command and S. */
export function editing(findings: readonly Finding[], onSave: () => void): Extension {
  return [
    linter(
      (view) => {
        const { length } = view.state.doc;
        const found = findings.map(({ from, to, message }) => {
          return { from: Math.min(from, length), to: Math.min(to, length), message, severity: "error" as const };
        });
        return [...(length === 0 ? [] : syntax(view)), ...found];
      },
      { delay: 150 },
    ),
    keymap.of([
      {
        key: "Mod-s",
        preventDefault: true,
        run: () => {
          onSave();
          return true;
        },
      },
    ]),
  ];
}
