// What is right of a recorder's stream: by the times or by the numbers of its samples.
import type { EquipmentClock } from '../equipment-clock.ts';
import { numberedPlaces } from '../judge/numbered-places.ts';
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

/** Positions are the counts of the rounds, each above the one before. */
function byNumber({ recorder, plan, refusals }: RecorderRulesOptions): RecordRules<Sample> {
  return {
    ...numberedPlaces(recorder.records, plan.modulus),
    hadCome: () => false,
    isHeld: (sample) => recorder.isHeld(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}
