// Writes the module's state to its twin: what an operator waits for (configuration, sources, clock, spool) soon after it
// changes, counters and sizes every few minutes.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { changesOf } from './reported-state.ts';

export interface ReporterOptions {
  /** The state as it is now, by top-level property. */
  readonly compose: () => Record<string, unknown>;
  /** Merges into the twin; waits for a connection by itself. */
  readonly report: (patch: Readonly<Record<string, unknown>>) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Reporter {
  start(): void;
  /** Reports at once, since something urgent has changed. */
  now(): void;
  /** Reports no more. */
  stop(): void;
}

const lookMs = 10_000;
const slowMs = 300_000;
/** Properties that merely grow and shrink. */
const slow = ['backlog', 'holes', 'strayErrors', 'disk', 'uplink', 'jobs'];

export function createReporter({ compose, report, clock, log }: ReporterOptions): Reporter {
  let reported: Record<string, unknown> = {};
  let slowAt = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;

  const look = (withSlow: boolean) => {
    try {
      const state = compose();
      const now = clock.monotonic();
      const isSlowDue = withSlow || now - slowAt >= slowMs;
      if (isSlowDue) slowAt = now;
      // What is slow stays as it was reported until it is due.
      else for (const name of slow) restore(state, name);
      const patch = changesOf(reported, state);
      if (!patch) return;
      reported = structuredClone(state);
      report(patch);
    } catch (error) {
      log.error(
        { code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) },
        'the state was not reported',
      );
    }
  };
  const restore = (state: Record<string, unknown>, name: string) => {
    if (name in reported) state[name] = reported[name];
    else delete state[name];
  };
  const tick = () => {
    timer = clock.setTimer(lookMs, () => {
      look(false);
      tick();
    });
  };

  return {
    start() {
      look(true);
      tick();
    },
    now: () => look(false),
    stop() {
      timer?.cancel();
      look(true);
    },
  };
}
