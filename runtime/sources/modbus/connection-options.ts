// The options of a connection to Modbus units.
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import type { PeerHabits } from '../line/peer-habits.ts';
import type { Advice } from './advice.ts';
import type { Framing } from './framing.ts';
import type { LineUnits } from './line-units.ts';

export interface ModbusConnectionOptions {
  /** Default: none. */
  readonly advice?: Advice;
  /** An open connection, which is owned from here on. */
  readonly stream: Duplex;
  readonly framing: Framing;
  /** What is known of the units, which outlives the connection. */
  readonly units: LineUnits;
  readonly clock: Clock;
  /** Names the peer in messages. */
  readonly peer: string;
  /** Silence that a serial bus needs between an answer and the next request. Default 0. */
  readonly gapMs?: number;
  /** The same after a request that got no good answer: what is still under way must not meet the next one. Default 0. */
  readonly turnaroundMs?: number;
  /** Nothing is asked so long after the connection was opened. Default: as was learned. */
  readonly connectDelayMs?: number | undefined;
  /** Opens the connection again where the peer closed it after an answer. Absent: then it is lost. */
  readonly reopen?: (signal: AbortSignal) => Promise<Duplex>;
  readonly habits?: PeerHabits;
}
