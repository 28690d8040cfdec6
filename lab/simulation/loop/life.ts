// One process of the module.
import type { ComposedModule } from '../../../runtime/compose.ts';
import type { ProcessClock } from './world-time.ts';

export interface Life {
  readonly clock: ProcessClock;
  readonly abort: AbortController;
  module: ComposedModule | undefined;
  isOver: boolean;
}

/** A process that is dead hears nothing. */
export function ofLife<Events extends object>(events: Events, life: Life): Events {
  return new Proxy(events, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => (life.isOver ? new Promise(() => {}) : member.apply(target, args));
    },
  });
}
