// The zoomable timeline: lanes over an axis, by pointer, touch and keyboard.
import { useRef, useState } from 'preact/hooks';
import type { IndexKind } from '../../../../wire/window.ts';
import { zone } from '../live/platform.ts';
import { positionText } from '../text/format.ts';
import { lanesOf } from './lanes.ts';
import { barsPath, type Known, layoutBars, layoutTicks } from './layout.ts';
import { useGestures } from './use-gestures.ts';
import { useWidth } from './use-width.ts';
import { type Limits, type Viewport, widthOf } from './viewport.ts';

export interface TimelineProps {
  readonly index: IndexKind;
  readonly known: Known;
  readonly view: Viewport;
  readonly limits: Limits;
  readonly onView: (view: Viewport) => void;
  /** The position under the pointer, or in the middle of the view while the keyboard is used. */
  readonly onPoint: (position: number | undefined) => void;
  /** A position was chosen. */
  readonly onPick: (position: number) => void;
  readonly marked: number | undefined;
  readonly summary: string;
}

const laneHeight = 18;
const laneGap = 8;

export function Timeline(props: TimelineProps) {
  const { index, known, view, marked } = props;
  const [box, width] = useWidth<HTMLDivElement>();
  const [pointer, setPointer] = useState<number | undefined>();
  const lanes = lanesOf(known);
  const height = lanes.length * (laneHeight + laneGap);
  const surface = useRef<HTMLDivElement>(null);
  const gestures = useGestures(surface, {
    ...props,
    onPoint: (position) => {
      setPointer(position);
      props.onPoint(position);
    },
  });
  const xOf = (position: number) => ((position - view.start) / widthOf(view)) * width;
  const line = pointer ?? marked;

  return (
    <div class="timeline">
      <div class="lane-names" aria-hidden="true">
        {lanes.map((lane) => (
          <span key={lane.name} title={lane.about}>
            {lane.name}
          </span>
        ))}
      </div>
      {/* A slider over time is the nearest thing that assistive technology knows; the tables say the rest. */}
      <div
        ref={surface}
        class="surface"
        role="slider"
        tabIndex={0}
        aria-label="Timeline. Arrow keys move, plus and minus zoom, 0 shows all, Home and End go to the ends, Enter picks the middle."
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(
          ((view.start - props.limits.span.start) / widthOf(props.limits.span)) * 100,
        )}
        aria-valuetext={`${positionText(index, Math.ceil(view.start), zone)} to ${positionText(index, Math.floor(view.end), zone)}. ${props.summary}`}
        {...gestures}
      >
        <div ref={box} class="measure" />
        <svg width={width} height={height + 24} aria-hidden="true">
          {layoutTicks(index, view, width, zone).map(({ x, label }) => (
            <g key={label + Math.round(x)}>
              <line class="grid" x1={x} x2={x} y1={0} y2={height} />
              <text class="tick" x={x + 4} y={height + 15}>
                {label}
              </text>
            </g>
          ))}
          {lanes.map((lane, i) => {
            const y = i * (laneHeight + laneGap);
            return (
              <g key={lane.name}>
                <rect class="track" x={0} y={y} width={width} height={laneHeight} rx={3} />
                {lane.layers.map(({ style, ranges, minPx }) => (
                  <path
                    key={style}
                    class={`range ${style}`}
                    d={barsPath(layoutBars(ranges, view, width, minPx), laneHeight, y)}
                  />
                ))}
              </g>
            );
          })}
          {line !== undefined && line >= view.start && line <= view.end && (
            <line class="pointer" x1={xOf(line)} x2={xOf(line)} y1={0} y2={height} />
          )}
        </svg>
      </div>
    </div>
  );
}
