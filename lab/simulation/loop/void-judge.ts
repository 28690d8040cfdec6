// Judges a void: nothing that can still be had lies in it, and its reason is the true one.
import type { VoidReason } from '../../../wire/mini-batch.ts';
import type { Window } from '../../../wire/window.ts';
import type { EquipmentPlan, Sample } from './equipment.ts';
import type { Followed } from './followed.ts';
import { archiveBytesOf } from './gateway.ts';
import type { WorldTime } from './world-time.ts';

/** The spool counts a message a little larger than it is. */
const fullShare = 0.7;

/** What is wrong with it, in words. */
export function faultsOf(
  stream: Followed,
  window: Window,
  reason: VoidReason,
  time: Pick<WorldTime, 'elapsed'>,
): readonly string[] {
  const { equipment, isTight } = stream;
  const wrong = wrongReason(equipment.plan, reason, isTight);
  const faults = wrong === undefined ? [] : [`but ${wrong}`];
  if (equipment.plan.stamping !== 'own') return faults;
  if (reason === 'evicted' && isTooYoung(stream, window, time)) faults.push('and is not that old');
  if (reason === 'no-history' && isArchived(stream, window, time))
    faults.push('and the archive has room for it');
  const isHeld = ({ index, lateMs }: Sample) => lateMs === 0 || index < equipment.recordedTo;
  if (window.end > equipment.reachedTo) faults.push('reaches into what is to come');
  else if (equipment.plan.memory > 0 && equipment.held(window).some(isHeld))
    faults.push('and the equipment has it');
  return faults;
}

/** What it promised may go unsent, and nobody can be asked for it again. */
export function isOfEviction({ isTight, equipment: { plan } }: Followed): boolean {
  return isTight && plan.memory === 0 && plan.stamping === 'own';
}

/** A sample that the spool had, gave to nobody, and called nothing; whoever asked was told that it never could be had. */
export function evictedInSilence(stream: Followed): number | undefined {
  const { equipment, gateway, sent, calledEvicted, calledUnhad, lostLate } = stream;
  // Of late ones that are lost the numbers are told; their places are then asked for.
  if (lostLate) return undefined;
  const isHidden = (number: number) => {
    const { index, at } = equipment.samples[number]!;
    const isIn = ({ start, end }: Window) => start <= index && index < end;
    return (
      at > gateway.lostStorageAt && !sent.has(number) && calledUnhad.some(isIn) && !calledEvicted.some(isIn)
    );
  };
  return [...equipment.promised].find(isHidden);
}

/** Where there is room for all that waits, only what has waited too long may go. */
function isTooYoung(
  { equipment, gateway }: Followed,
  window: Window,
  { elapsed }: Pick<WorldTime, 'elapsed'>,
): boolean {
  const { roomBytes, unsentMs = Number.POSITIVE_INFINITY, mostUnsentBytes, holdsBack } = gateway;
  // What was sent goes first.
  const wasFull = roomBytes !== undefined && mostUnsentBytes > fullShare * roomBytes && !holdsBack;
  if (wasFull || gateway.lostStorageAt > Number.NEGATIVE_INFINITY) return false;
  return equipment.shown(window).some(({ at }) => at > elapsed - unsentMs);
}

/**
 * What this process stored a moment ago is in the archive, which has a share of the room. What the one before had not stored as a
 * window when it died goes up as late, and is no answer for where it lies.
 */
function isArchived(
  { equipment, gateway, delivered }: Followed,
  window: Window,
  { elapsed }: Pick<WorldTime, 'elapsed'>,
): boolean {
  const { roomBytes, unsentMs, mostUnsentBytes, lostStorageAt } = gateway;
  if (roomBytes === undefined || unsentMs !== undefined || lostStorageAt > Number.NEGATIVE_INFINITY)
    return false;
  if (mostUnsentBytes > fullShare * roomBytes) return false;
  const isKept = ({ number, at }: Sample) =>
    at >= elapsed - gateway.upMs &&
    equipment.promised.has(number) &&
    !delivered.has(number) &&
    gateway.storedSince(at) < fullShare * archiveBytesOf(roomBytes);
  return equipment.shown(window).some(isKept);
}

/** Why the reason cannot be so. `mayEvict`: the spool drops what waits for long, or for want of room. */
function wrongReason({ memory }: EquipmentPlan, reason: VoidReason, mayEvict: boolean): string | undefined {
  switch (reason) {
    case 'no-history':
      return memory === 0 ? undefined : 'it remembers some';
    case 'history-expired':
      return memory === 0 ? 'it never remembered any' : undefined;
    case 'evicted':
      if (memory > 0) return 'it can be asked again';
      return mayEvict ? undefined : 'the spool keeps all';
    default:
      return 'nobody said so';
  }
}
