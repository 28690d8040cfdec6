// The stream's timeline with its controls: what is seen is asked for in full, what was known is shown meanwhile.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { StreamView } from '../../../ledger/streams.ts';
import type { Action } from '../actions/actions.tsx';
import { calls, type Range } from '../live/calls.ts';
import { clock, zone } from '../live/platform.ts';
import { useResource } from '../live/use-resource.ts';
import { choicesOf, keepChoices } from '../shell/route.ts';
import { lengthText, positionText, rangeText, shareText, wordsOf } from '../text/format.ts';
import { type Finding, findAt, type Known } from '../timeline/layout.ts';
import { Overview } from '../timeline/overview.tsx';
import { Timeline } from '../timeline/timeline.tsx';
import {
  around,
  clamp,
  fit,
  follow,
  type Limits,
  limitsOf,
  newest,
  type Viewport,
  widthOf,
  zoom,
} from '../timeline/viewport.ts';

interface Props {
  readonly stream: StreamView;
  /** Shown when it changes. */
  readonly focus: Range | undefined;
  readonly onAction: (action: Action) => void;
}

const spans = [
  ['5 min', 300_000],
  ['1 h', 3_600_000],
  ['1 day', 86_400_000],
] as const;

export function StreamTimeline({ stream, focus, onAction }: Props) {
  const { index } = stream;
  const first = stream.first ?? 0;
  const last = stream.last ?? 1;
  const limits = useMemo(() => limitsOf(index, first, last), [index, first, last]);
  const before = useRef(limits);
  const [view, setView] = useState<Viewport>(() => chosenView(limits));
  const [pointer, setPointer] = useState<number | undefined>();
  const [marked, setMarked] = useState<number | undefined>();

  useEffect(() => {
    setView((shown) => follow(shown, before.current, limits));
    before.current = limits;
  }, [limits]);
  // By focus alone: new limits are no reason to look there again.
  useEffect(() => {
    if (focus === undefined) return;
    setView(around(focus, limits));
    setMarked((focus.start + focus.end) / 2);
  }, [focus]);

  useEffect(() => {
    // Browsers refuse addresses that change too often.
    const timer = clock.setTimer(300, () => keepView(view, limits));
    return () => timer.cancel();
  }, [view, limits]);

  const asked = useAsked(view);
  const coverage = useResource((signal) => calls.coverage(stream.id, asked, signal), {
    key: `${stream.id} ${asked.start} ${asked.end}`,
    concerns: (streams) => streams === 'all' || streams.includes(stream.id),
  });
  const detail = coverage.data;
  // Looked at from far away the stream's own ranges are whole, unless there are too many of them.
  const known: Known = detail ?? stream;
  const point = pointer ?? marked;
  const summary = detail ? `${shareText(detail.delivered)} of it is there` : '';

  return (
    <section class="card" aria-labelledby="timeline-title">
      <div class="controls">
        <h2 id="timeline-title">Timeline</h2>
        <div class="buttons-row">
          {index === 'time' &&
            spans
              .filter(([, length]) => length < last - first)
              .map(([name, length]) => (
                <button key={name} type="button" onClick={() => setView(newest(limits, length))}>
                  {name}
                </button>
              ))}
          <button type="button" onClick={() => setView(fit(limits))}>
            All
          </button>
          <button type="button" aria-label="Zoom in" onClick={() => setView(zoom(view, 0.5, 0.5, limits))}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => setView(zoom(view, 2, 0.5, limits))}>
            −
          </button>
        </div>
        <span class="grow" />
        <button
          type="button"
          onClick={() =>
            onAction({ kind: 'request', range: wholeRange(clamp(view, limits)), editable: true })
          }
        >
          Request a range …
        </button>
      </div>
      <Timeline
        index={index}
        known={known}
        view={view}
        limits={limits}
        onView={setView}
        onPoint={setPointer}
        onPick={setMarked}
        marked={marked}
        summary={summary}
      />
      <Overview known={stream} view={view} limits={limits} onView={setView} />
      <div class="readout">
        <FindingLine
          stream={stream}
          position={point}
          finding={point === undefined ? undefined : findAt(known, point)}
          isMarked={pointer === undefined && marked !== undefined}
          onAction={onAction}
        />
        <span class="grow" />
        <span class="note in-view">
          {detail && (
            <>
              In view: <b>{shareText(detail.delivered)}</b> complete, <b>{shareText(detail.accounted)}</b>{' '}
              accounted for
              {detail.truncated ? '; too many ranges to draw all, zoom in' : ''}
            </>
          )}
        </span>
      </div>
      <p class="hint">
        Drag or use the arrow keys to move, <kbd>+</kbd> <kbd>−</kbd> or pinch to zoom, click to mark.
        {index === 'time' ? ` Times are ${zone}.` : ''}
      </p>
    </section>
  );
}

function FindingLine(props: {
  readonly stream: StreamView;
  readonly position: number | undefined;
  readonly finding: Finding | undefined;
  readonly isMarked: boolean;
  readonly onAction: (action: Action) => void;
}) {
  const { stream, position, finding } = props;
  if (position === undefined || finding === undefined)
    return <span class="note">Point at the timeline to see what is there.</span>;
  const { range } = finding;
  const lacks = range !== undefined && ['missing', 'requested', 'abandoned'].includes(finding.kind);
  return (
    <>
      <span class="mono">{positionText(stream.index, Math.floor(position), zone)}</span>
      <span class={`finding ${finding.kind}`}>{findingText(finding)}</span>
      {range !== undefined && (
        <span class="note" title={rangeText(stream.index, range[0], range[1], zone)}>
          for {lengthText(stream.index, range[1] - range[0])}
        </span>
      )}
      {props.isMarked && lacks && (
        <span class="buttons-row">
          <button
            type="button"
            onClick={() => props.onAction({ kind: 'request', range: { start: range[0], end: range[1] } })}
          >
            Request …
          </button>
          <button
            type="button"
            onClick={() => props.onAction({ kind: 'waive', range: { start: range[0], end: range[1] } })}
          >
            Waive …
          </button>
        </span>
      )}
    </>
  );
}

const findingNames: Readonly<Record<Finding['kind'], string>> = {
  covered: 'covered',
  backfilled: 'backfilled',
  void: 'void',
  waived: 'waived',
  missing: 'missing',
  requested: 'missing, requested',
  abandoned: 'missing, asked for no more',
  none: 'nothing known',
};

function findingText({ kind, reason }: Finding): string {
  return reason === undefined ? findingNames[kind] : `${findingNames[kind]}: ${wordsOf(reason)}`;
}

/** The view of the address, or all there is. */
function chosenView(limits: Limits): Viewport {
  const choices = choicesOf(location.hash);
  const [start, end] = ['from', 'to'].map((name) => Number(choices.get(name) ?? Number.NaN));
  return start! < end! ? clamp({ start: start!, end: end! }, limits) : fit(limits);
}

function keepView(view: Viewport, limits: Limits): void {
  const isAll = widthOf(view) >= widthOf(limits.span) * 0.999;
  const { start, end } = wholeRange(view);
  keepChoices(isAll ? { from: undefined, to: undefined } : { from: String(start), to: String(end) });
}

const wholeRange = ({ start, end }: Viewport): Range => ({ start: Math.floor(start), end: Math.ceil(end) });

/**
 * What to ask for so that the view is known and moving it a little needs no question: it is asked for anew
 * once the view leaves what was asked for, or has become much narrower.
 */
function useAsked(view: Viewport): Range {
  const [asked, setAsked] = useState<Range>(() => askFor(view));
  const inside = view.start >= asked.start && view.end <= asked.end;
  const narrow = widthOf(view) * 8 < asked.end - asked.start;
  useEffect(() => {
    if (!inside || narrow) setAsked(askFor(view));
  }, [inside, narrow, view]);
  return asked;
}

function askFor(view: Viewport): Range {
  const room = widthOf(view);
  return { start: Math.floor(view.start - room), end: Math.ceil(view.end + room) };
}
