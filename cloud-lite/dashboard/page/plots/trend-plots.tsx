import { useMemo } from 'preact/hooks';
import type { TrendSample } from '../../../http/trend.ts';
import { countText, durationText } from '../text/format.ts';
import { ageSteps, axisAges, axisCounts } from './axis.ts';
import { type Line, Plot } from './plot.tsx';
import { type Columns, ingestColumns, lagColumns, lastOf } from './series.ts';

const ingestLines: readonly Line[] = [{ name: 'readings', colour: '--accent', filled: true }];
const lagLines: readonly Line[] = [
  { name: 'typical', colour: '--accent' },
  { name: 'worst', colour: '--requested', dash: [6, 3] },
  { name: 'reading the hub', colour: '--muted', dash: [2, 3] },
];

const perSecond = (value: number) =>
  value === 0 || value >= 10 ? countText(Math.round(value)) : value.toFixed(1);
const age = (seconds: number) => (seconds === 0 ? '0' : durationText(seconds * 1000));

export function TrendPlots({ samples }: { readonly samples: readonly TrendSample[] }) {
  const ingest = useMemo(() => ingestColumns(samples), [samples]);
  const lag = useMemo(() => lagColumns(samples), [samples]);
  return (
    <div class="plots">
      <TrendPlot
        title="Ingest"
        unit="readings each second"
        columns={ingest}
        lines={ingestLines}
        format={perSecond}
        axis={axisCounts}
      />
      <TrendPlot
        title="Lag"
        unit="age of the newest data"
        columns={lag}
        lines={lagLines}
        format={age}
        axis={axisAges}
        steps={ageSteps}
      />
    </div>
  );
}

function TrendPlot(props: {
  readonly title: string;
  readonly unit: string;
  readonly columns: Columns;
  readonly lines: readonly Line[];
  /** Of the legend's figures, and of the axis. */
  readonly format: (value: number) => string;
  readonly axis: (values: readonly number[]) => string[];
  readonly steps?: readonly number[];
}) {
  const { columns, lines, format } = props;
  const [, ...values] = columns;
  return (
    <figure class="card trend">
      <figcaption>
        <h2>{props.title}</h2>
        <span class="note">{props.unit}</span>
        <ul class="legend">
          {lines.map((line, i) => {
            const last = lastOf(values[i]);
            return (
              <li key={line.name}>
                <svg width="18" height="8" aria-hidden="true">
                  <line
                    x1="0"
                    x2="18"
                    y1="4"
                    y2="4"
                    stroke-width="2"
                    stroke-dasharray={line.dash?.join(' ')}
                    style={{ stroke: `var(${line.colour})` }}
                  />
                </svg>
                {line.name} <b>{last === null ? '–' : format(last)}</b>
              </li>
            );
          })}
        </ul>
      </figcaption>
      <Plot columns={columns} lines={lines} format={props.axis} steps={props.steps} height={150} />
    </figure>
  );
}
