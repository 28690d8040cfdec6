// The memory of an instrument as the history of its source: by record number, or by time.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Window } from '../../../wire/window.ts';
import type { TurnLane } from '../line/turn-queue.ts';
import type { SourceHistory } from '../source.ts';
import { fillTemplate } from './command-template.ts';
import type { HistoryConfig, SerialSourceConfig } from './config.ts';
import { type DumpEnd, Dumper } from './dump.ts';
import { type DumpTails, isWithin } from './dump-tails.ts';
import { dumpStampOf, type MemoryAccess } from './memory-access.ts';
import { askBounds } from './memory-bounds.ts';
import { numberHistory } from './number-history.ts';
import { fillNumber } from './number-memory.ts';
import { type DecodedRecord, stepMsOf } from './record-layout.ts';
import type { StreamState } from './reporter.ts';
import { isNumbered } from './stream-order.ts';
import { timeHistory } from './time-history.ts';
import { compileTimeFiller } from './time-memory.ts';
import type { LineTurn } from './writer.ts';

export interface HistoryOptions {
  readonly config: SerialSourceConfig;
  readonly history: HistoryConfig;
  readonly state: () => StreamState;
  /** True for a record that the instrument has just made. */
  readonly isNews: (record: DecodedRecord) => boolean;
  /** True for one with the number that follows the newest. */
  readonly isNext: (record: DecodedRecord) => boolean;
  /** A live record may have been taken for one of a dump. */
  readonly onDoubt: () => void;
  /** Of one that is not new, and was not asked for. */
  readonly onStray: (record: DecodedRecord) => void;
  readonly turn: (lane: TurnLane) => LineTurn;
  /** Tracks dumps that may continue after they were given up. */
  readonly tails: DumpTails;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes of a dump. */
  readonly count: (bytes: number) => void;
}

export function createHistory(options: HistoryOptions): SourceHistory {
  const { config, history, state, clock, log } = options;
  const stamp = dumpStampOf(config);
  const span = stamp.number && stamp.number.last - stamp.number.first + 1;
  if (isNumbered(config)) {
    const counter = () => state().counter!;
    const access = accessOf(options, (window, placeholder) => fillNumber(counter(), window, placeholder));
    return numberHistory({ access, counter, span: span!, history, log });
  }
  const timestamp = stamp.timestamp!;
  const access = accessOf(options, compileTimeFiller(timestamp));
  const stepMs = stepMsOf(timestamp);
  return timeHistory({ access, state, stamp: timestamp, stepMs, span, history, clock, log });
}

type Filler = (window: Window, placeholder: Parameters<Parameters<typeof fillTemplate>[1]>[0]) => string;

function accessOf(options: HistoryOptions, fill: Filler): MemoryAccess {
  const { config, history, isNews, isNext, onDoubt, onStray } = options;
  const { turn, log, count, tails, clock, state } = options;
  const stepMs = isNumbered(config) ? 1 : stepMsOf(dumpStampOf(config).timestamp);
  /** As it is asked for: times are rounded to steps. */
  const inSteps = ({ start, end }: Window): Window => ({
    start: Math.floor(start / stepMs) * stepMs,
    end: Math.ceil(end / stepMs) * stepMs,
  });
  const dumper = new Dumper({ config, history, isNews, isNext, onDoubt, onStray, log });
  const take = turn('history');
  const { bounds, command } = history;
  return {
    dump: (window, signal) => {
      const counter = isNumbered(config) ? state().counter : undefined;
      const isAsked = (record: DecodedRecord) => isWithin(record, inSteps(window), counter);
      const filled = fillTemplate(command, (placeholder) => fill(window, placeholder));
      return take(async (line) => {
        let end: DumpEnd = 'silence';
        try {
          const result = await dumper.dump(line, filled, count, isAsked);
          end = result.end;
          return result;
        } finally {
          if (end === 'silence') tails.add(window, clock.monotonic());
        }
      }, signal);
    },
    ...(bounds && {
      bounds: (signal: AbortSignal) => take((line) => askBounds(line, bounds, config), signal),
    }),
  };
}
