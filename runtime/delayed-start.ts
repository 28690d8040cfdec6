// Sources that wait before they start, after a module has crashed again and again. A new configuration, which may be the
// cure, ends the wait.
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Startable } from './runtime.ts';

export interface DelayedStart extends Startable {
  /** Ends the wait; without one, does nothing. */
  release(): void;
  readonly isWaiting: boolean;
}

export function delayStart(
  sources: Startable,
  { delayMs, clock, log }: { readonly delayMs: number; readonly clock: Clock; readonly log: Log },
): DelayedStart {
  let wait: Timer | undefined;
  const release = () => {
    if (wait === undefined) return;
    wait.cancel();
    wait = undefined;
    log.info({}, 'the sources start now');
    sources.start();
  };
  return {
    start() {
      if (delayMs > 0) wait = clock.setTimer(delayMs, release);
      else sources.start();
    },
    release,
    get isWaiting() {
      return wait !== undefined;
    },
    stop() {
      wait?.cancel();
      wait = undefined;
      return sources.stop();
    },
  };
}
