// What is right of a recorder's stream: by the times or by the numbers of its samples.
import type { EquipmentClock } from '../equipment-clock.ts';
import { numberedPlaces } from '../judge/numbered-places.ts';
import type { RecordRules } from '../judge/records.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import type { Recorder, Sample } from './recorder.ts';
import type { RecorderPlan } from './recorder-plan.ts';
import type { RefusalLog } from './refusal-log.ts';

export interface RecorderRulesOptions {
  readonly recorder: Recorder;
  readonly plan: RecorderPlan;
  readonly deviceClock: EquipmentClock;
  readonly refusals: RefusalLog;
}

export function recorderRules({
  recorder,
  plan,
  deviceClock,
  refusals,
}: RecorderRulesOptions): RecordRules<Sample> {
  const places =
    plan.index === 'time'
      ? stampedPlaces<Sample>(deviceClock, plan.stampStepMs)
      : { ...numberedPlaces(recorder.records, plan.modulus), hadCome: () => false };
  return {
    ...places,
    isHeld: (sample) => recorder.isHeld(sample),
    isExcused: (sample, tag) => refusals.excuses(tag, sample.at),
  };
}
