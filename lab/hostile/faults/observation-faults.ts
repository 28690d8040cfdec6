// Planted faults between adapter and windows: what a faulty adapter would state.
import type { SourceEvent, SourceSink } from '../../../runtime/sources/source.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Dice } from '../dice.ts';

type Emit = (event: SourceEvent) => boolean;

function through(inner: SourceSink, emit: (event: SourceEvent, pass: Emit) => boolean): SourceSink {
  return {
    emit: (event) => emit(event, (each) => inner.emit(each)),
    durable: () => inner.durable(),
    hasRoom: () => inner.hasRoom?.() ?? true,
    begunAnew: () => inner.begunAnew?.() ?? 0,
  };
}

function mapReadings(
  inner: SourceSink,
  change: (readings: readonly Reading[]) => readonly Reading[],
): SourceSink {
  return through(inner, (event, pass) => {
    if (event.kind !== 'readings') return pass(event);
    const readings = change(event.readings);
    return readings.length === 0 || pass({ ...event, readings });
  });
}

/** A break is never told: windows touch over it. */
export function touchingResume(inner: SourceSink): SourceSink {
  let isOpen = false;
  return through(inner, (event, pass) => {
    if (event.kind === 'broken') return true;
    if (event.kind === 'resumed' && isOpen) return true;
    const isTaken = pass(event);
    isOpen = isTaken;
    return isTaken;
  });
}

/** After a break observation begins again where it ended, however long that is ago. */
export function oldFrontier(inner: SourceSink): SourceSink {
  let frontier: number | undefined;
  return through(inner, (event, pass) => {
    if (event.kind === 'observed') frontier = event.until;
    if (event.kind !== 'resumed' || frontier === undefined || frontier >= event.at) return pass(event);
    return pass({ kind: 'resumed', at: frontier });
  });
}

/** Positions begin again with the numbers of the equipment. */
export function onePositionTwice(modulus: number): (inner: SourceSink) => SourceSink {
  return (inner) =>
    mapReadings(inner, (readings) => readings.map((each) => ({ ...each, index: each.index % modulus })));
}

/** After its first break it says nothing more. */
export function neverResumes(inner: SourceSink): SourceSink {
  let isBroken = false;
  return through(inner, (event, pass) => {
    isBroken ||= event.kind === 'broken';
    return isBroken && event.kind !== 'broken' ? true : pass(event);
  });
}

/** A value is taken for told that was not: report by exception then leaves out those that are like it. */
export function swallowedChange(inner: SourceSink, dice: Dice): SourceSink {
  return mapReadings(inner, (readings) => readings.filter(() => !dice.chance(0.03)));
}

/** A refusal that passes is believed for the next twelve polls. */
export function learnedRefusal(inner: SourceSink): SourceSink {
  const left = new Map<string, { polls: number; readonly quality: Reading['quality'] }>();
  return mapReadings(inner, (readings) =>
    readings.map((reading) => {
      const { tag, quality } = reading;
      const known = left.get(tag);
      if (quality.startsWith('bad')) left.set(tag, { polls: 12, quality });
      else if (known && known.polls > 0) {
        known.polls -= 1;
        return { ...reading, value: null, quality: known.quality };
      }
      return reading;
    }),
  );
}

/** What the equipment does not vouch for is called good. */
export function badCalledGood(inner: SourceSink): SourceSink {
  return mapReadings(inner, (readings) => readings.map((each) => ({ ...each, quality: 'good' })));
}

/** What a unit shows where it has no value passes for one. */
export function sentinelCalledGood(sentinel: number): (inner: SourceSink) => SourceSink {
  return (inner) =>
    mapReadings(inner, (readings) =>
      readings.map((each) => (each.value === null ? { ...each, value: sentinel, quality: 'good' } : each)),
    );
}

/** Of two records with one time the second is left out. */
export function secondOfOneTime(inner: SourceSink): SourceSink {
  let last = Number.NEGATIVE_INFINITY;
  return mapReadings(inner, (readings) => {
    const isRepeated = readings[0]!.index === last;
    last = readings.at(-1)!.index;
    return isRepeated ? [] : readings;
  });
}

/** Values of a poll that was given up a while ago are told as those of now. */
export function staleValues(inner: SourceSink, dice: Dice): SourceSink {
  const before = new Map<string, Reading>();
  return mapReadings(inner, (readings) =>
    readings.map((reading) => {
      const old = before.get(reading.tag);
      before.set(reading.tag, reading);
      return old && dice.chance(0.05) ? { ...reading, value: old.value } : reading;
    }),
  );
}
