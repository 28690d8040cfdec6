// What is right of a recorder's stream: by the times or by the numbers of its samples.
import type { EquipmentClock } from '../equipment-clock.ts';
import type { RecordRules } from '../judge/records.ts';
import type { Recorder, Sample } from './recorder.ts';
import type { RecorderPlan } from './recorder-plan.ts';
import type { RefusalLog } from './refusal-log.ts';

export interface RecorderRulesOptions {
  readonly recorder: Recorder;
  readonly plan: RecorderPlan;
  readonly deviceClock: EquipmentClock;
  readonly refusals: RefusalLog;
}

export function recorderRules(options: RecorderRulesOptions): RecordRules<Sample> {
  return options.plan.index === 'time' ? byTime(options) : byNumber(options);
}

function byTime({ recorder, plan, deviceClock, refusals }: RecorderRulesOptions): RecordRules<Sample> {
  return {
    placeOf: ({ stamp }) => stamp,
    misplaced: ({ stamp }, index) => (stamp === index ? undefined : `its sample has stamp ${stamp}`),
    hadCome: (index, at) =>
      deviceClock.showed(index, at) || (plan.stampStepMs > 1 && showedStep(deviceClock, index, at)),
    isHeld: (sample) => recorder.isHeld(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}

/** A stamp of whole seconds stands for the second that follows it. */
function showedStep(clock: EquipmentClock, index: number, at: number): boolean {
  for (let ms = 0; ms < 1000; ms += 50) if (clock.showed(index + ms, at)) return true;
  return false;
}

/**
 * Which position the first number of a round gets is the module's own choice, as long as none is used twice: it is
 * learned from the first value that is delivered, and holds for all others.
 */
function byNumber({ recorder, plan, refusals }: RecorderRulesOptions): RecordRules<Sample> {
  /** By round: position less count. */
  const bases = new Map<number, number>();
  const placeOf = ({ round, count }: Sample) => {
    const base = bases.get(round);
    return base === undefined ? undefined : base + count;
  };
  return {
    placeOf,
    misplaced(sample, index) {
      const { round, count } = sample;
      const place = placeOf(sample);
      if (place !== undefined) return place === index ? undefined : `its sample has position ${place}`;
      const behind = index - count;
      if (behind % plan.modulus !== 0) return `its sample has number ${count % plan.modulus}`;
      for (const [other, base] of bases) {
        if (other < round === base < behind) continue;
        return `its sample belongs to memory ${round}, which does not lie beside memory ${other} there`;
      }
      bases.set(round, behind);
      return undefined;
    },
    hadCome: () => false,
    isHeld: (sample) => recorder.isHeld(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}
