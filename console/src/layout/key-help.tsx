import { Dialog } from "../components/dialog.tsx";
import styles from "./key-help.module.css";
import type { navigation } from "./navigation.ts";

/** What keys do. */
export function KeyHelp(props: { places: typeof navigation; isOpen: boolean; onClose: () => void }) {
  const { places, isOpen, onClose } = props;
  const rows: readonly (readonly [keys: string, does: string])[] = [
    ["/", "Search on the page"],
    ...places.map(({ key, name }) => [`g ${key}`, `Go to ${name}`] as const),
    ["↑ ↓", "From row to row in a table; Page Up, Page Down, Home and End, too"],
    ["Enter", "Open the row"],
    ["Esc", "Close, or leave the field"],
    ["?", "Show these keys"],
  ];
  return (
    <Dialog title="Keys" isOpen={isOpen} onClose={onClose}>
      <dl className={styles.keys}>
        {rows.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
