import { type ReactNode, useEffect, useRef } from "react";
import { Tabs as AriaTabs, Tab, TabList, TabPanel } from "react-aria-components/Tabs";
import styles from "./tabs.module.css";

interface TabsProps<Id extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly id: Id; readonly title: ReactNode }[];
  /** Kept in the URL by the page. */
  readonly selected: Id;
  readonly onSelect: (id: Id) => void;
  /** Of the tab that is selected. */
  readonly children: ReactNode;
}

export function Tabs<Id extends string>({ label, tabs, selected, onSelect, children }: TabsProps<Id>) {
  const list = useRef<HTMLDivElement>(null);
  // On a phone not all fit: the one that is shown is seen.
  useEffect(() => {
    const row = list.current as HTMLDivElement;
    const observer = new ResizeObserver(() => {
      const { offsetLeft = 0, offsetWidth = 0 } = row.querySelector<HTMLElement>(`[data-key="${selected}"]`) ?? {};
      const { scrollLeft, clientWidth } = row;
      if (offsetLeft < scrollLeft || offsetLeft + offsetWidth > scrollLeft + clientWidth)
        row.scrollLeft = offsetLeft - (clientWidth - offsetWidth) / 2;
    });
    observer.observe(row);
    return () => observer.disconnect();
  }, [selected]);
  return (
    <AriaTabs
      className={styles.tabs ?? ""}
      selectedKey={selected}
      onSelectionChange={(key) => key !== selected && onSelect(key as Id)}
    >
      <TabList ref={list} aria-label={label} className={styles.list ?? ""} items={tabs}>
        {({ id, title }) => (
          <Tab id={id} className={styles.tab ?? ""}>
            {title}
          </Tab>
        )}
      </TabList>
      <TabPanel id={selected} key={selected} className={styles.panel ?? ""}>
        {children}
      </TabPanel>
    </AriaTabs>
  );
}
