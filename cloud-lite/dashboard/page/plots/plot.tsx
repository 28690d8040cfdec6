// A uPlot in a component. The only importer of uPlot.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { zone } from '../live/platform.ts';
import { onThemeChange } from '../shell/theme.ts';
import { useWidth } from '../timeline/use-width.ts';
import type { Columns } from './series.ts';

export interface Line {
  readonly name: string;
  /** A colour's custom property. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly filled?: boolean;
}

export interface PlotProps {
  readonly columns: Columns;
  readonly lines: readonly Line[];
  readonly format: (values: readonly number[]) => string[];
  /** From one line to the next; by default tens, twos and fives of them. */
  readonly steps?: readonly number[] | undefined;
  readonly height: number;
}

export function Plot(props: PlotProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const { columns, height } = props;

  useEffect(() => {
    if (width === 0) return;
    const draw = () => {
      plot.current?.destroy();
      const { columns: data, ...rest } = latest.current;
      plot.current = new uPlot(optionsOf(rest, width), data as unknown as uPlot.AlignedData, box.current!);
    };
    draw();
    const stop = onThemeChange(draw);
    return () => {
      stop();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [width, box]);

  useEffect(() => plot.current?.setData(columns as unknown as uPlot.AlignedData), [columns]);

  return <div ref={box} class="plot" style={{ height: `${height}px` }} />;
}

function optionsOf(
  { lines, format, steps, height }: Omit<PlotProps, 'columns'>,
  width: number,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const grid = { stroke: colour('--line'), width: 1 };
  const axis = { stroke: colour('--muted'), font: '11px Inter, sans-serif', grid, ticks: { show: false } };
  return {
    width,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    // Room for half of the last time.
    padding: [8, 24, 0, 0],
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] } },
    axes: [
      {
        ...axis,
        size: 26,
        space: 70,
        values: [
          [3600, '{HH}:{mm}', null, null, null, null, null, null, 1],
          [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
          [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1],
        ],
      },
      {
        ...axis,
        size: 52,
        space: 34,
        values: (_, values) => format(values),
        ...(steps && { incrs: [...steps] }),
      },
    ],
    series: [
      {},
      ...lines.map(
        (line): uPlot.Series => ({
          label: line.name,
          stroke: colour(line.colour),
          width: 1.75,
          points: { show: false },
          ...(line.dash ? { dash: [...line.dash] } : {}),
          ...(line.filled ? { fill: `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` } : {}),
        }),
      ),
    ],
  };
}
