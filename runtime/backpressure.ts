// A full spool whose policy is `backpressure` pauses the sources that keep their own history. What they saw meanwhile is
// fetched from that history once there is room. The windows drop what still comes of a session that is ending.
import type { SupervisedSource } from './sources/supervisor.ts';
import type { Spool } from './spool/spool.ts';
import type { Windows } from './windows/windows-api.ts';

export interface Backpressure {
  /** A source that is built while the spool is full is paused at once. */
  register(source: SupervisedSource): SupervisedSource;
  /** From now on the sources in `running` follow the spool. */
  begin(running: ReadonlyMap<string, SupervisedSource>): void;
}

export function applyBackpressure(
  spool: Pick<Spool, 'stats' | 'onBackpressure'>,
  windows: Pick<Windows, 'pause'>,
  hasHistory: (batchId: string) => boolean,
): Backpressure {
  const mayPause = ({ source }: SupervisedSource) => source.history !== undefined;
  return {
    register(source) {
      source.pause(spool.stats().backpressure && mayPause(source));
      return source;
    },
    begin(running) {
      const follow = (isActive: boolean) => {
        windows.pause(isActive ? hasHistory : undefined);
        for (const source of running.values()) source.pause(isActive && mayPause(source));
      };
      spool.onBackpressure(follow);
      follow(spool.stats().backpressure);
    },
  };
}
