import { defaultRangeExtractor, type Range, useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import {
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { classNames } from "./class-names.ts";
import { Skeleton } from "./states.tsx";
import styles from "./table.module.css";

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** A track of a CSS grid; left out: an even share of what is left. */
  readonly width?: string;
  /** Numbers stand at the end. */
  readonly align?: "end";
  /** How to sort by it, as the API says it; left out: it cannot be sorted by. */
  readonly sort?: { readonly up: string; readonly down: string };
  /** Not in the cards of a narrow window. */
  readonly wideOnly?: boolean;
}

interface TableProps<Row> {
  /** What it lists, for who does not see it. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  /** Undefined: on their way. */
  readonly rows: readonly Row[] | undefined;
  readonly rowKey: (row: Row) => string;
  /** Enter or a click on a row. */
  readonly onOpen?: ((row: Row) => void) | undefined;
  readonly isSelected?: (row: Row) => boolean;
  /** The one in use, as the API says it. */
  readonly sort?: string | undefined;
  readonly onSort?: (sort: string) => void;
  /** Called as the end of what is there comes near. */
  readonly onEnd?: () => void;
  readonly isLoadingMore?: boolean;
  /** Whether there are more rows than these. */
  readonly hasMore?: boolean;
  /** Shown where there are no rows. */
  readonly empty: ReactNode;
}

const rowHeight = 40;
/** Rows beyond those in sight. */
const overscan = 12;

/**
 * A virtual list with columns: only the rows in sight are in the document, however many there are. Arrow keys, Home,
 * End and the page keys go from row to row, Enter opens one. In a narrow window each row is a card.
 */
export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, rows, rowKey, onOpen, isSelected, sort, onSort, onEnd, isLoadingMore, hasMore, empty } =
    props;
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(0);
  const total = rows?.length ?? 0;
  // The same while one scrolls: with another one all rows are laid out anew.
  const getItemKey = useCallback((at: number) => rowKey(rows?.[at] as Row), [rows, rowKey]);
  // The row that has the focus stays in the document, wherever one scrolls: keys would reach nothing else.
  const focusable = Math.min(current, total - 1);
  const rangeExtractor = useCallback(
    (range: Range) => {
      const inSight = defaultRangeExtractor(range);
      if (focusable < 0 || inSight.includes(focusable)) return inSight;
      return [...inSight, focusable].sort((a, b) => a - b);
    },
    [focusable],
  );
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey,
    overscan,
    rangeExtractor,
    // Below the head, which stays in sight.
    scrollPaddingStart: rowHeight,
  });
  const shown = virtual.getVirtualItems();
  const last = (virtual.range?.endIndex ?? -1) + overscan;
  useEffect(() => {
    if (total > 0 && last >= total - 20) onEnd?.();
  }, [last, total, onEnd]);

  const focusAt = (at: number) =>
    scroller.current?.querySelector<HTMLElement>(`[data-index="${at}"]`)?.focus({ preventScroll: true });
  /** Where the focus goes as soon as the row is there. */
  const next = useRef<number>(null);
  useLayoutEffect(() => {
    if (next.current === null) return;
    focusAt(next.current);
    next.current = null;
  });
  const go = (to: number) => {
    const at = Math.max(0, Math.min(total - 1, to));
    virtual.scrollToIndex(at);
    if (at === current) focusAt(at);
    else {
      next.current = at;
      setCurrent(at);
    }
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const isRow = (event.target as HTMLElement).dataset.index !== undefined;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: total - 1,
    };
    const to = moves[event.key];
    if (to !== undefined && isRow) {
      event.preventDefault();
      go(to);
    } else if (event.key === "Enter" && isRow && onOpen) {
      event.preventDefault();
      onOpen(rows?.[current] as Row);
    }
  };

  if (rows === undefined) return <Skeleton lines={8} />;
  if (rows.length === 0) return <>{empty}</>;
  const height = virtual.getTotalSize();
  const template = { "--columns": columns.map(({ width }) => width ?? "minmax(0, 1fr)").join(" ") } as CSSProperties;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a <table> cannot leave out the rows that are out of sight
    <div
      ref={scroller}
      className={styles.scroller}
      style={{ "--height": `${height}px` } as CSSProperties}
      role="grid"
      aria-label={label}
      aria-rowcount={hasMore ? -1 : total + 1}
      aria-colcount={columns.length}
      onKeyDown={onKeyDown}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: what sorts in it is */}
      <div className={styles.head} role="row" aria-rowindex={1} style={template}>
        {columns.map((column) => (
          <Head key={column.id} column={column} sort={sort} onSort={onSort} />
        ))}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      <div className={styles.body} role="rowgroup" style={{ height }}>
        {shown.map(({ index, key, start }) => {
          const row = rows[index] as Row;
          return (
            // biome-ignore lint/a11y/useSemanticElements: as above
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              className={classNames(styles.row, onOpen && styles.opens)}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={isSelected?.(row)}
              tabIndex={index === focusable ? 0 : -1}
              style={{ ...template, transform: `translateY(${start}px)` }}
              onFocus={(event) => event.target === event.currentTarget && setCurrent(index)}
              onClick={(event) => {
                // A link or a button in the row does its own.
                if (!(event.target as Element).closest("a, button, input, label")) onOpen?.(row);
              }}
              onKeyDown={() => {}}
            >
              {columns.map((column) => (
                // biome-ignore lint/a11y/useSemanticElements: as above
                // biome-ignore lint/a11y/useFocusableInteractive: the row is
                <div
                  key={column.id}
                  role="gridcell"
                  data-title={column.title}
                  className={classNames(styles.cell, column.align && styles.end, column.wideOnly && styles.wideOnly)}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
      {/* A grid has nothing but rows in it, for who hears it. */}
      {isLoadingMore && (
        <div aria-hidden>
          <Skeleton lines={2} />
        </div>
      )}
    </div>
  );
}

function Head<Row>({ column, sort, onSort }: { column: Column<Row> } & Pick<TableProps<Row>, "sort" | "onSort">) {
  const { title, align, sort: by } = column;
  const className = classNames(styles.cell, align && styles.end);
  if (by === undefined || onSort === undefined) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: as above
      // biome-ignore lint/a11y/useFocusableInteractive: there is nothing to do with it
      <div role="columnheader" className={className}>
        {title}
      </div>
    );
  }
  const direction = sort === by.up ? "ascending" : sort === by.down ? "descending" : undefined;
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: the button is
    <div role="columnheader" className={className} aria-sort={direction ?? "none"}>
      <button type="button" className={styles.sort} onClick={() => onSort(sort === by.up ? by.down : by.up)}>
        {title}
        {direction === "ascending" && <ArrowUp size={13} aria-hidden />}
        {direction === "descending" && <ArrowDown size={13} aria-hidden />}
      </button>
    </div>
  );
}
