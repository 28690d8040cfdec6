// The port to a world's ledger: the real detectors, or the model of one.
import type { StreamAccount } from './verdicts.ts';
import type { WallClock } from './world-time.ts';

export interface Ledger {
  start(name: string, wall: WallClock): void;
  /** It dies before the n-th statement from now; of the model, the n-th step. */
  kill(name: string, afterStatements: number): void;
  /** Something was asked for at the last look, and has not come. */
  readonly isRepairing: boolean;
  /** By stream, as `device/batchId`. */
  accounts(): Promise<ReadonlyMap<string, StreamAccount>>;
  /** `open`: whatever is missing, asked for, or not closed. `gaps`: found so far. */
  count(): Promise<{ readonly open: number; readonly gaps: number }>;
}
