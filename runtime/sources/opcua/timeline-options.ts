// What a timeline is made with (timeline.ts).
import type { Clock } from '../../../kernel/clock.ts';
import type { SourceSink } from '../source.ts';
import type { OddTime } from './odd-time.ts';
import type { ClockStep } from './publish-clock.ts';
import type { RepeatedTimes } from './repeated-times.ts';

export interface TimelineOptions {
  readonly sink: SourceSink;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timestamp: 'source' | 'server';
  readonly latenessMs: number;
  /** Values older than the beginning of observation are reported at it; else they are left out. */
  readonly snapshots: boolean;
  /** Observation never begins below: what lies there was reported by a session before. */
  readonly floor?: number | undefined;
  /** Told of all times, over the sessions of a source. */
  readonly repeated?: RepeatedTimes;
  readonly onOdd: (what: OddTime, count: number) => void;
  readonly onClockSet?: (step: ClockStep) => void;
}
