// A timeline with a clock that the test moves, and what came of it in few words.

import { RecordingSink } from '../../testing/recording-sink.ts';
import type { OddTime } from '../odd-time.ts';
import type { WireValue } from '../opcua-session.ts';
import type { ClockStep } from '../publish-clock.ts';
import type { RepeatedTimes } from '../repeated-times.ts';
import { Timeline } from '../timeline.ts';

export const T = Date.UTC(2026, 0, 1);
export const good = { value: 0, name: 'Good' };
export const overflow = { value: 0x480, name: 'Good#Overflow' };

export function at(source: number | undefined, value: number, change: Partial<WireValue> = {}): WireValue {
  const sourceTimestamp = source === undefined ? null : new Date(T + source);
  const variant = { dataType: 11, arrayType: 0, value };
  return { value: variant, statusCode: good, sourceTimestamp, serverTimestamp: sourceTimestamp, ...change };
}

export const placeIn = (seen: string): number => Number(seen.match(/@(-?\d+)/)![1]);

interface MakeOptions {
  readonly floor?: number;
  readonly latenessMs?: number;
  readonly timestamp?: 'source' | 'server';
  readonly snapshots?: boolean;
  readonly repeated?: RepeatedTimes;
}

export function make(options: MakeOptions = {}) {
  const sink = new RecordingSink();
  const clock = { passed: 0, monotonic: () => clock.passed };
  const odd: [OddTime, number][] = [];
  const steps: ClockStep[] = [];
  const { floor, latenessMs = 100, timestamp = 'source', snapshots = true } = options;
  const timeline = new Timeline({
    sink,
    clock,
    timestamp,
    snapshots,
    latenessMs,
    floor,
    ...(options.repeated && { repeated: options.repeated }),
    onOdd: (what, count) => odd.push([what, count]),
    onClockSet: (step) => steps.push(step),
  });
  const seen = () =>
    sink.readings.map(({ index, tag, value, quality }) => {
      const mark = quality === 'good' ? '' : ` ${quality}`;
      return `${tag}=${value}@${index - T}${mark}`;
    });
  let last = 0;
  /** A message that was published at `time`, which passes as long here as there. */
  const message = (time: number) => {
    clock.passed += Math.max(0, time - last);
    last = time;
    timeline.hear(T + time);
    timeline.advance(T + time);
  };
  /** The items are watched from `time` on, and their first values are here. */
  const begin = (time: number) => {
    timeline.begin(T + time, T + time);
    message(time);
  };
  return { sink, odd, steps, timeline, seen, clock, message, begin };
}
