// The few figures of the runtime's status that the screen shows. Pure.
import type { LiveState } from './live-state.ts';

type RuntimeView = NonNullable<LiveState['runtime']>;

/** Undefined for what is no status: the process is down, or not ready yet. */
export function runtimeView(status: unknown): RuntimeView | undefined {
  if (typeof status !== 'object' || status === null) return undefined;
  return undefined;
}
