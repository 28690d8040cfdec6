// Where records lie in a stream that the equipment's own times order.
import type { EquipmentClock } from '../equipment-clock.ts';
import type { Made, RecordRules } from './records.ts';

export interface Stamped extends Made {
  /** As the equipment's clock had it, in the step that it counts in, epoch ms. */
  readonly stamp: number;
}

export function stampedPlaces<M extends Stamped>(
  clock: EquipmentClock,
  stampStepMs: number,
): Pick<RecordRules<M>, 'placeOf' | 'misplaced' | 'hadCome' | 'hadPassed'> {
  return {
    placeOf: ({ stamp }) => stamp,
    misplaced: ({ stamp }, index) => (stamp === index ? undefined : `its record has stamp ${stamp}`),
    hadCome(index, trueTime) {
      // A stamp of whole seconds stands for the second that follows it.
      for (let ms = 0; ms < stampStepMs; ms += 50) if (clock.showed(index + ms, trueTime)) return true;
      return false;
    },
    hadPassed: (index, trueTime) => clock.passed(index + stampStepMs, trueTime),
  };
}
