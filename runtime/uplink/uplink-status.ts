// The uplink's state for status and log: connected or not, since when, why not. One log line for each change, not for each
// attempt: an outage may last for weeks.
import type { Clock } from '../../kernel/clock.ts';
import { codeOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { momentOf, wallTimeOf } from '../../kernel/moment.ts';
import { type Diagnose, explainFailure } from './diagnose.ts';
import type { EdgeTarget } from './edge-client.ts';
import type { UplinkState } from './uplink.ts';

export interface UplinkStatusOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly diagnose: Diagnose;
  /** Least time between two diagnoses, in ms. */
  readonly intervalMs: number;
}

export interface UplinkStatus {
  state(): UplinkState;
  onState(listener: (state: UplinkState) => void): () => void;
  connected(): void;
  /** A connection or an attempt has ended. */
  lost(cause: unknown, target: EdgeTarget | undefined): void;
  stopped(): void;
}

export function createUplinkStatus(options: UplinkStatusOptions): UplinkStatus {
  const { clock, log, metrics } = options;
  const listeners = new Set<(state: UplinkState) => void>();
  let state: UplinkState = { connected: false, since: clock.now(), diagnosis: 'not connected yet' };
  /** Of the last change: a wall clock that is set makes no outage longer. */
  let changed = momentOf(clock);
  const heldMs = () => Math.round(clock.monotonic() - changed.now);
  let diagnosing = false;
  let diagnosedAt = Number.NEGATIVE_INFINITY;
  /** Grows with each connection: a diagnosis that comes later is about the past. */
  let epoch = 0;

  const set = (next: Omit<UplinkState, 'since'>) => {
    if (next.connected !== state.connected) changed = momentOf(clock);
    state = { ...next, since: wallTimeOf(changed, clock) };
    for (const listener of listeners) {
      try {
        listener(state);
      } catch (error) {
        log.error(
          { code: codeOf(error, 'unexpected-trouble'), err: error },
          'a listener of the uplink failed',
        );
      }
    }
  };

  const say = (diagnosis: string) => {
    if (state.connected || diagnosis === state.diagnosis) return;
    log.warn({ code: 'link-down', reason: diagnosis }, 'uplink not connected');
    set({ ...state, diagnosis });
  };

  async function look(target: EdgeTarget | undefined, cause: unknown): Promise<void> {
    const due = clock.monotonic() - diagnosedAt >= options.intervalMs;
    if (diagnosing || !due) return;
    diagnosing = true;
    diagnosedAt = clock.monotonic();
    const asked = epoch;
    try {
      const diagnosis = await options.diagnose(target, cause);
      if (asked === epoch) say(diagnosis);
    } catch (error) {
      log.error(
        { code: codeOf(error, 'unexpected-trouble'), err: error },
        'the cause of the lost connection could not be determined',
      );
    } finally {
      diagnosing = false;
    }
  }

  return {
    state: () => ({ ...state, since: wallTimeOf(changed, clock) }),
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connected() {
      epoch++;
      diagnosedAt = Number.NEGATIVE_INFINITY;
      log.info({ afterMs: heldMs() }, 'uplink connected');
      set({ connected: true });
    },
    lost(cause, target) {
      if (state.connected) {
        const diagnosis = explainFailure(cause);
        log.info({ reason: diagnosis, heldMs: heldMs() }, 'uplink lost');
        metrics.count('holdfast_uplink_losses_total');
        set({ connected: false, diagnosis });
        // The next attempt usually succeeds; only a failed one is worth a look.
        return;
      }
      void look(target, cause);
    },
    stopped() {
      epoch++;
      if (state.connected) set({ connected: false, diagnosis: 'stopped' });
      else state = { ...state, diagnosis: 'stopped' };
    },
  };
}
