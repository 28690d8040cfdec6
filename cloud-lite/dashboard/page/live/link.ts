// Keeps the stream of changes open: a browser's own retry gives up for good at an error status, and asks
// without backoff.
import { createBackoff } from '../../../../kernel/backoff.ts';
import type { Clock, Timer } from '../../../../kernel/clock.ts';
import type { Random } from '../../../../kernel/random.ts';
import type { Changes } from '../../../http/change-stream.ts';
import { firstLinkState, type LinkEvent, type LinkState, reduceLink } from './link-state.ts';

/** The part of an EventSource that is used. */
export interface ChangeSource {
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener(type: 'changes' | 'bye', listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface Link {
  state(): LinkState;
  subscribe(listener: () => void): () => void;
  /** Streams changed; `all` also after each reconnect, since changes may have been missed. */
  onChanges(listener: (streams: Changes['streams']) => void): () => void;
  loaded(): void;
  failed(problem: string): void;
  retryNow(): void;
  close(): void;
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly open: () => ChangeSource;
}

/** There are too many pages. To come back at once would push another one out, which comes back at once. */
const sentAwayMs = 30_000;

export function createLink({ clock, random, open }: LinkOptions): Link {
  const watchers = new Set<() => void>();
  const listeners = new Set<(streams: Changes['streams']) => void>();
  const backoff = createBackoff({ minMs: 1000, maxMs: 15_000 }, random);
  let state = firstLinkState;
  let source: ChangeSource | undefined;
  let timer: Timer | undefined;

  const apply = (event: LinkEvent) => {
    state = reduceLink(state, event);
    for (const watch of watchers) watch();
  };
  const tell = (streams: Changes['streams']) => {
    for (const listen of listeners) listen(streams);
  };

  const connect = () => {
    timer?.cancel();
    source?.close();
    apply({ kind: 'connecting' });
    let sentAway = false;
    const opening = open();
    source = opening;
    opening.onopen = () => {
      backoff.reset();
      apply({ kind: 'opened' });
      tell('all');
    };
    opening.onerror = () => {
      if (source !== opening) return;
      source = undefined;
      opening.close();
      const delayMs = sentAway ? sentAwayMs : backoff.next();
      apply({ kind: 'lost', at: clock.now(), retryAt: clock.now() + delayMs });
      timer = clock.setTimer(delayMs, connect);
    };
    opening.addEventListener('bye', () => {
      sentAway = true;
    });
    opening.addEventListener('changes', ({ data }) => tell((JSON.parse(data) as Changes).streams));
  };

  connect();
  return {
    state: () => state,
    subscribe(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    onChanges(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    loaded: () => apply({ kind: 'loaded', at: clock.now() }),
    failed: (problem) => apply({ kind: 'failed', at: clock.now(), problem }),
    retryNow() {
      backoff.reset();
      connect();
      tell('all');
    },
    close() {
      timer?.cancel();
      source?.close();
    },
  };
}
