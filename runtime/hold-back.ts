// A full spool whose policy is to hold: sources that keep their own history are not asked meanwhile. What they saw is
// fetched from that history once there is room. The windows drop what still comes of a session that is ending.
import type { SupervisedSource } from './sources/supervisor.ts';
import type { Spool } from './spool/spool.ts';
import type { Windows } from './windows/windows-api.ts';

export interface HoldBack {
  /** A source that is built while the spool holds waits too. */
  heed(source: SupervisedSource): SupervisedSource;
  /** From now on the spool's word reaches the sources in `running`. */
  begin(running: ReadonlyMap<string, SupervisedSource>): void;
}

export function keepHolding(
  spool: Pick<Spool, 'stats' | 'onHold'>,
  windows: Pick<Windows, 'hold'>,
  hasHistory: (batchId: string) => boolean,
): HoldBack {
  const mayWait = ({ source }: SupervisedSource) => source.history !== undefined;
  return {
    heed(source) {
      source.hold(spool.stats().holding && mayWait(source));
      return source;
    },
    begin(running) {
      const tell = (holding: boolean) => {
        windows.hold(holding ? hasHistory : undefined);
        for (const source of running.values()) source.hold(holding && mayWait(source));
      };
      spool.onHold(tell);
      tell(spool.stats().holding);
    },
  };
}
