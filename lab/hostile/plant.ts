// The places in the module where a fault can be planted, to prove that the hostile run finds it.
import type { Duplex } from 'node:stream';
import type { OpcuaSession } from '../../runtime/sources/opcua/opcua-session.ts';
import type { Source, SourceSink } from '../../runtime/sources/source.ts';
import type { WindowStore } from '../../runtime/windows/window-store.ts';
import type { Dice } from './dice.ts';

export interface Plant {
  /** In place of the adapter's source. */
  readonly source?: (inner: Source, dice: Dice) => Source;
  /** Between adapter and windows. */
  readonly sink?: (inner: SourceSink, dice: Dice) => SourceSink;
  /** Between windows and the disk. */
  readonly disk?: (inner: WindowStore) => WindowStore;
  /** Between a byte stream's adapter and its peer. */
  readonly stream?: (inner: Duplex) => Duplex;
  /** Between the OPC UA adapter and its driver. */
  readonly session?: (inner: OpcuaSession) => OpcuaSession;
}

export const noPlant: Plant = {};
