import type { Clock } from '../../../../kernel/clock.ts';
import { LineUnits } from '../line-units.ts';
import type { WireFormat } from './memory-device.ts';

/** What a connection of that kind knows of its units at first. */
export function unitsOn(clock: Clock, wire: WireFormat): LineUnits {
  const isLine = wire === 'rtu';
  return new LineUnits({ clock, isLine, hasIds: !isLine, minSilenceMs: 3000 });
}
