// All of a stream in one strip, with what the timeline shows of it marked.
import type { Known } from './layout.ts';
import { barsPath, layoutBars } from './layout.ts';
import { useWidth } from './use-width.ts';
import { clamp, type Limits, type Viewport, widthOf } from './viewport.ts';

const height = 22;

export function Overview(props: {
  readonly known: Known;
  readonly view: Viewport;
  readonly limits: Limits;
  readonly onView: (view: Viewport) => void;
}) {
  const { known, view, limits } = props;
  const [box, width] = useWidth<HTMLDivElement>();
  const { span } = limits;
  const xOf = (position: number) => ((position - span.start) / widthOf(span)) * width;
  const path = (ranges: Known['covered'], minPx: number) =>
    barsPath(layoutBars(ranges, span, width, minPx), height);
  const move = (event: PointerEvent) => {
    if (event.buttons !== 1) return;
    const left = box.current!.getBoundingClientRect().left;
    const middle = span.start + ((event.clientX - left) / width) * widthOf(span);
    props.onView(clamp({ start: middle - widthOf(view) / 2, end: middle + widthOf(view) / 2 }, limits));
  };
  const x = xOf(view.start);
  const shown = Math.max(4, xOf(view.end) - x);
  return (
    <div
      class="overview"
      aria-hidden="true"
      onPointerDown={(event) => {
        (event.currentTarget as Element).setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={move}
    >
      <div ref={box} class="measure" />
      <svg width={width} height={height} aria-hidden="true">
        <rect class="track" width={width} height={height} rx={3} />
        <path class="range covered" d={path(known.covered, 1)} />
        <path
          class="range void"
          d={path(
            known.voids.map(({ start, end }) => [start, end]),
            1,
          )}
        />
        <path class="range missing" d={path(known.gaps, 2)} />
        <rect class="shade" x={0} width={Math.max(0, x)} height={height} />
        <rect class="shade" x={x + shown} width={Math.max(0, width - x - shown)} height={height} />
        <rect
          class="brush"
          x={x + 0.75}
          y={0.75}
          width={Math.max(2, shown - 1.5)}
          height={height - 1.5}
          rx={3}
        />
      </svg>
    </div>
  );
}
