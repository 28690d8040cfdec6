// The rules by which a recorder's stream is judged: by the times or by the numbers of its samples.
import type { Site } from '../equipment.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import { numberedPlaces } from '../judge/numbered-places.ts';
import type { RecordRules } from '../judge/records.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import { type Recorder, type Sample, smallStepOf } from './recorder.ts';
import type { RecorderPlan } from './recorder-plan.ts';
import type { RefusalLog } from './refusal-log.ts';

/** A sample that the adapter was shown live, and when it told of it, true time. */
export interface Sight {
  readonly id: number;
  readonly at: number;
}

export interface RecorderRulesOptions {
  readonly recorder: Recorder;
  readonly plan: RecorderPlan;
  readonly deviceClock: EquipmentClock;
  readonly refusals: RefusalLog;
  /** What the adapter made something of, growing. */
  readonly sights: Sight[];
  readonly site: Site;
}

export function recorderRules({
  recorder,
  plan,
  deviceClock,
  refusals,
  sights,
  site,
}: RecorderRulesOptions): RecordRules<Sample> {
  const places =
    plan.index === 'time'
      ? stampedPlaces<Sample>(deviceClock, plan.stampStepMs)
      : { ...numberedPlaces(recorder.records, plan.modulus), hadCome: () => false };
  /**
   * It was made before anybody watched; or its clock leapt ahead and was set back while nobody heard it: what it made
   * meanwhile stands at times that no live sample gives a reason to expect.
   */
  const isHidden = (sample: Sample): boolean =>
    plan.index === 'time' && [sights, ...known].some((seen) => isHiddenTo(seen, sample));
  /** What was seen by when a disk was put back: what was claimed before rests on that. */
  const known: (readonly Sight[])[] = [];
  const isHiddenTo = (seen: readonly Sight[], sample: Sample): boolean => {
    const { after, before } = aroundOf(seen, sample);
    if (after === undefined) return false;
    if (before === undefined) return true;
    const [shown, last] = [madeAs(after), madeAs(before)];
    if (isSmallStepUnheard(sample, after)) return true;
    const passedMs = site.isAgeUnknown ? 0 : after.at - last.at;
    return sample.stamp > Math.max(shown.stamp, last.stamp + passedMs);
  };
  const aroundOf = (seen: readonly Sight[], { id }: Sample) => ({
    after: seen.find((sight) => sight.id >= id),
    before: seen.findLast((sight) => sight.id < id),
  });
  const madeAs = ({ id }: Sight): Sample => recorder.records.all[id - 1]!;
  /** Its clock was set back right after, by no more than time synchronisation does, and nobody heard it in between. */
  const isSmallStepUnheard = ({ id, stamp }: Sample, after: Sight): boolean => {
    const next = recorder.records.all[id];
    if (next === undefined || next.id > after.id) return false;
    return next.stamp <= stamp && stamp - next.stamp < smallStepOf(plan);
  };
  /**
   * Its clock was set back after it was made, and is not behind for all that when it is heard again: it was set ahead by as much, before
   * or after. The log, when it is looked at, does not hold any more where the times go back. What it leapt over looks like a time without power.
   */
  const isStepUnheard = (sample: Sample): boolean =>
    plan.index === 'time' && [sights, ...known].some((seen) => isStepUnheardBy(seen, sample));
  const isStepUnheardBy = (seen: readonly Sight[], sample: Sample): boolean => {
    const { all } = recorder.records;
    const { after, before } = aroundOf(seen, sample);
    if (before === undefined) return false;
    const [last, shown] = [madeAs(before), after ? madeAs(after) : all.at(-1)!];
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
  /** Made, and passed again by a clock that was set back, while a disk lived that was put back to before. */
  const isUndone = ({ id, at, stamp }: Sample): boolean => {
    const span = undone.find(({ from, to }) => at > from && at <= to);
    return (
      span !== undefined &&
      recorder.records.all.some((each) => each.id > id && each.at <= span.to && each.stamp <= stamp)
    );
  };
  const undone: { readonly from: number; readonly to: number }[] = [];
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
      undone.push({ from: since, to: now });
      recorder.forgetLooks(since);
      known.push([...sights]);
      while (sights.length > 0 && sights.at(-1)!.at > since) sights.pop();
    },
    isForgotten: (sample) => (isHidden(sample) || isUndone(sample)) && !recorder.wasLookedAt(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}
