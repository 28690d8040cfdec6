// The rules by which a recorder's stream is judged: by the times or by the numbers of its samples.
import type { EquipmentClock } from '../equipment-clock.ts';
import { numberedPlaces } from '../judge/numbered-places.ts';
import type { RecordRules } from '../judge/records.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import { Undone } from '../judge/undone.ts';
import type { Around, Unheard } from '../judge/unheard.ts';
import { type Recorder, type Sample, smallStepOf } from './recorder.ts';
import type { RecorderPlan } from './recorder-plan.ts';
import type { RefusalLog } from './refusal-log.ts';

export interface RecorderRulesOptions {
  readonly recorder: Recorder;
  readonly plan: RecorderPlan;
  readonly deviceClock: EquipmentClock;
  readonly refusals: RefusalLog;
  readonly unheard: Unheard<Sample>;
}

export function recorderRules({
  recorder,
  plan,
  deviceClock,
  refusals,
  unheard,
}: RecorderRulesOptions): RecordRules<Sample> {
  const places =
    plan.index === 'time'
      ? stampedPlaces<Sample>(deviceClock, plan.stampStepMs)
      : { ...numberedPlaces(recorder.records, plan.modulus), hadCome: () => false };
  const isHidden = (sample: Sample): boolean =>
    plan.index === 'time' && (unheard.has(sample) || unheard.some(isSmallStepUnheard, sample));
  /** Its clock was set back right after, by no more than time synchronisation does, and nobody heard it in between. */
  const isSmallStepUnheard = ({ before, after }: Around<Sample>, { id, stamp }: Sample): boolean => {
    const next = recorder.records.all[id];
    if (!before || !after || next === undefined || next.id > after.shown.id) return false;
    return next.stamp <= stamp && stamp - next.stamp < smallStepOf(plan);
  };
  /**
   * Its clock was set back after it was made, and is not behind for all that when it is heard again: it was set ahead by as much, before
   * or after. The log, when it is looked at, does not hold any more where the times go back. What it leapt over looks like a time without power.
   */
  const isStepUnheard = (sample: Sample): boolean =>
    plan.index === 'time' && unheard.some(isStepUnheardBy, sample);
  const isStepUnheardBy = ({ before, after }: Around<Sample>, sample: Sample): boolean => {
    const { all } = recorder.records;
    if (before === undefined) return false;
    const [last, shown] = [before.shown, after?.shown ?? all.at(-1)!];
    if (aheadOf(shown) < aheadOf(last) - smallStepOf(plan)) return false;
    // The first that stands where it does, or below, after its clock was set back to there.
    const again = all.find(({ id, stamp }) => id > sample.id && id <= shown.id && stamp <= sample.stamp);
    if (again === undefined) return false;
    const wasSeen = all.slice(sample.id, again.id).some((next) => {
      const previous = all[next.id - 2]!;
      return next.stamp < previous.stamp && recorder.wasLookedAt(next) && recorder.wasLookedAt(previous);
    });
    return !wasSeen && !recorder.isToldByCount(last);
  };
  /** What its clock showed when it was made, less true time. */
  const aheadOf = ({ stamp, at }: Sample): number => stamp - at;
  const undone = new Undone(recorder.records, ({ stamp }) => stamp);
  return {
    ...places,
    isHeld: (sample) => recorder.isHeld(sample),
    // The log has something else in its place, and has shown no more than that.
    isUnreadable: (sample) => recorder.isCorrupt(sample),
    isHidden,
    isBeyondProof: (sample) =>
      plan.index === 'time' &&
      !recorder.isHeld(sample) &&
      !recorder.wasLookedAt(sample) &&
      (recorder.isBehindSmallStep(sample) || isStepUnheard(sample)),
    rollBack: (since, now) => {
      undone.rollBack(since, now);
      recorder.forgetLooks(since);
      unheard.rollBack(since);
    },
    isForgotten: (sample) =>
      (isHidden(sample) || undone.until(sample) !== undefined) && !recorder.wasLookedAt(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}
