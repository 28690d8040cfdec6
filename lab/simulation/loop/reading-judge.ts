// Judges the readings of one position by the sample that they are of: each tag, value and quality, and that none is missing.
import { isDeepStrictEqual } from 'node:util';
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type EquipmentPlan, readingsOf, type Sample } from './equipment.ts';
import type { Followed } from './followed.ts';

/** Readings in index order, those of one position together. */
export function byPosition(readings: readonly Reading[]): readonly (readonly Reading[])[] {
  return [...Map.groupBy(readings, ({ index }) => index).values()];
}

/** The number of the sample that shows this value. */
export const numberOf = ({ value }: Reading): number => (Number(value) - 1) / 7;

/** What is wrong with the readings of a sample. `mayBeMarked`: the gateway's clock was wrong, and its stamp may say so. */
export function faultOf(
  plan: EquipmentPlan,
  sample: Sample,
  came: readonly Reading[],
  mayBeMarked: boolean,
): string | undefined {
  const told = readingsOf(plan, sample, came[0]!.index);
  const isSame = (one: Reading, other: Reading) =>
    one.tag === other.tag &&
    isDeepStrictEqual(one.value, other.value) &&
    isQuality(one.quality, other.quality, mayBeMarked);
  const altered = came.find((reading) => !told.some((each) => isSame(reading, each)));
  if (altered !== undefined)
    return `${altered.tag} = ${JSON.stringify(altered.value)} (${altered.quality}) was never told`;
  const missing = told.find((each) => !came.some(({ tag }) => tag === each.tag));
  return missing && `${missing.tag} is missing`;
}

function isQuality(came: Quality, told: Quality, mayBeMarked: boolean): boolean {
  return came === told || (mayBeMarked && told === 'good' && came === 'uncertain:clock');
}

/** What a window has to hold. Of what the gateway stamps: whatever was shown between two that it holds. */
export function toHold(
  { equipment, gateway }: Followed,
  window: Window,
  readings: readonly Reading[],
): readonly Sample[] {
  const { name, late, stamping } = equipment.plan;
  if (stamping === 'own') {
    const shown = equipment.shown(window);
    // What is told late comes behind its window, unless that was read from the memory.
    if (late === undefined || gateway.isFromHistory(name, window)) return shown;
    return shown.filter(({ lateMs }) => lateMs === 0);
  }
  if (readings.length === 0) return [];
  const numbers = readings.map(numberOf);
  return equipment.samples.slice(Math.min(...numbers), Math.max(...numbers) + 1);
}
