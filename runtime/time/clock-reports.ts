// Reports the site clock's state: log, metrics, and counts for the status.
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { ClockState } from './site-clock-api.ts';

export class ClockReports {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #steps = { forward: 0, back: 0 };
  #lost = 0;
  #refused = 0;

  constructor({ log, metrics }: { readonly log: Log; readonly metrics: Metrics }) {
    this.#log = log;
    this.#metrics = metrics;
  }

  get counts(): Pick<ClockState, 'steps' | 'lost' | 'refused'> {
    return { steps: { ...this.#steps }, lost: this.#lost, refused: this.#refused };
  }

  stepped(stepMs: number, mode: string): void {
    const direction = stepMs > 0 ? 'forward' : 'back';
    this.#steps[direction] += 1;
    this.#metrics.count('holdfast_clock_steps_total', { direction });
    const text = `the wall clock was set ${direction}`;
    // One that is not trusted yet is waited for to be set.
    if (mode === 'waiting') this.#log.info({ stepMs, mode }, text);
    else this.#log.warn({ code: 'clock-set', stepMs, mode }, text);
  }

  refused(readings: number): void {
    if (this.#refused === 0)
      this.#log.error(
        { code: 'clock-journal-full' },
        'the journal of readings that wait for the clock is full',
      );
    this.#refused += readings;
    this.#metrics.count('holdfast_clock_refused_readings_total', {}, readings);
  }

  placed(readings: number, marked: boolean): void {
    if (readings === 0) return;
    this.#log.info({ readings, marked }, 'readings that waited for the clock have their time');
  }

  lost(readings: number): void {
    if (readings === 0) return;
    this.#lost += readings;
    this.#metrics.count('holdfast_clock_lost_readings_total', {}, readings);
    this.#log.error(
      { code: 'clock-readings-lost', readings },
      'the machine restarted before its clock was right: the readings that waited for it are a hole',
    );
  }

  /** `doubt` and `reason`: undefined where it is trusted without any. */
  judged(
    mode: string,
    offsetMs: number,
    doubt: { readonly doubt: string; readonly reason: string } | undefined,
  ): void {
    if (doubt === undefined) this.#log.info({ offsetMs }, 'the wall clock is trusted');
    else if (doubt.doubt === 'unconfirmed')
      this.#log.info({ ...doubt, mode }, 'the wall clock is not trusted yet');
    else this.#log.warn({ code: 'clock-not-trusted', ...doubt, mode }, 'the wall clock is not trusted');
  }
}
