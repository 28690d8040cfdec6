// Ranges as a person types them. Pure.
import type { IndexKind } from '../../../../wire/window.ts';
import { timeText } from '../text/format.ts';

/** What the field shows: `2026-11-21 22:20:00.000` in the zone, or a record number. */
export function boundText(index: IndexKind, position: number, zone: string): string {
  return index === 'time' ? timeText(position, { zone, date: true, ms: true }) : String(position);
}

const timeForm = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(\.\d{1,3})?(Z?)$/;

/** Reads what `boundText` writes, seconds and less optional, and UTC with a Z; undefined when it is no position. */
export function parseBound(index: IndexKind, text: string, zone: string): number | undefined {
  const given = text.trim();
  if (index === 'sequence') {
    const number = Number(given);
    return /^-?\d+$/.test(given) && Number.isSafeInteger(number) ? number : undefined;
  }
  const match = timeForm.exec(given);
  if (match === null) return undefined;
  const [, date, minutes, seconds = ':00', fraction = '.000', utc] = match;
  const asUtc = Date.parse(`${date}T${minutes}${seconds}${fraction}Z`);
  if (Number.isNaN(asUtc) || utc === 'Z') return Number.isNaN(asUtc) ? undefined : asUtc;
  // The zone's offset depends on the very time that is sought; the second look is right but in the hour of a change.
  const guess = asUtc - offsetAt(asUtc, zone);
  return asUtc - offsetAt(guess, zone);
}

function offsetAt(at: number, zone: string): number {
  const text = timeText(at, { zone, date: true, ms: true });
  return Date.parse(`${text.replace(' ', 'T')}Z`) - at;
}
