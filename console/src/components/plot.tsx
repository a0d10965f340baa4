import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import UPlot from "uplot";
import { useIsDark } from "../layout/theme.ts";
import { shortCount } from "../lib/format.ts";
import styles from "./plot.module.css";

export interface PlotSeries {
  readonly name: string;
  /** At each of the times; null: nothing is known. */
  readonly values: readonly (number | null)[];
  /** Of the theme's four. */
  readonly color: 1 | 2 | 3 | 4;
}

interface PlotProps {
  /** What it shows, for who does not see it; the figures stand beside it, too. */
  readonly label: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly PlotSeries[];
  readonly height?: number;
  readonly format?: (value: number) => string;
}

/** Lines over time, with the values under the pointer in its legend. Import it lazily: the library is in it. */
export function Plot({ label, times, series, height = 200, format = shortCount }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const isDark = useIsDark();
  const names = series.map(({ name, color }) => `${name} ${color}`).join("\n");
  const data = [times, ...series.map(({ values }) => values)] as unknown as UPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew where the lines' names or the colours are others
  useEffect(() => {
    const element = frame.current as HTMLDivElement;
    const color = (name: string) => resolved(element, name);
    const axis: UPlot.Axis = {
      stroke: color("--text-soft"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { stroke: color("--line"), width: 1, size: 4 },
      font: `11px ${getComputedStyle(element).fontFamily}`,
    };
    const drawn = new UPlot(
      {
        width: element.clientWidth,
        height,
        series: [
          {},
          ...series.map(({ name, color: at }) => ({
            label: name,
            stroke: color(`--series-${at}`),
            width: 1.5,
            points: { show: false },
            value: (_: UPlot, value: number | null) => (value === null ? "–" : format(value)),
          })),
        ],
        axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map(format) }],
        scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] } },
      },
      latest.current,
      element,
    );
    plot.current = drawn;
    const resize = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [names, isDark, height]);
  useEffect(() => plot.current?.setData(data));

  return <div ref={frame} className={styles.plot} role="img" aria-label={label} />;
}

/** A colour of the theme as a canvas takes it. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
