// A sender and the hub, read by the module-input adapter.
import { silentLog } from '../../../kernel/log.ts';
import { createInputs } from '../../../runtime/sources/inputs.ts';
import {
  type ModuleInputConfig,
  moduleInputSourceSchema,
} from '../../../runtime/sources/module-input/config.ts';
import { createModuleInputSource } from '../../../runtime/sources/module-input/module-input-source.ts';
import type { Equipment, EquipmentParts } from '../equipment.ts';
import { EquipmentClock } from '../equipment-clock.ts';
import { RecordJudge } from '../judge/record-judge.ts';
import { HubQueue } from './hub-queue.ts';
import { Sender } from './sender.ts';
import { configureSender, planSender, type SenderPlan } from './sender-plan.ts';
import { senderRules } from './sender-rules.ts';

export function senderEquipment(parts: EquipmentParts): Equipment {
  const { clock, dice, trace, heard } = parts;
  const plan = planSender(dice);
  const senderClock = new EquipmentClock(
    () => clock.monotonic(),
    clock.now() - clock.monotonic() + dice.between(-500, 500),
    // Out of a queue a step that is shorter than its longest silence looks like a sender that had nothing to say.
    Math.max(2000, plan.silenceMs + plan.latenessMs),
  );
  const sender = new Sender({ plan, clock, senderClock, dice: dice.fork() });
  const hub = new HubQueue({ clock, dice: dice.fork(), trace, onHand: (madeBy) => heard.tell(madeBy) });
  let pausedUntil = 0;
  let isHostile = false;
  let wasSetBack = false;
  const work = () => {
    clock.setTimer(plan.periodMs, work);
    if (clock.monotonic() < pausedUntil) return;
    // What cannot be read cannot be missed, where nothing counts it.
    for (const sent of sender.make(isHostile && plan.isNumbered && dice.chance(0.01))) {
      if (isHostile && plan.isNumbered && dice.chance(0.01)) sent.isLost = true;
      else hub.add(sent);
    }
  };
  work();
  const acts = {
    clock: () => {
      const ms = dice.pick([-1, 1]) * dice.between(10, dice.pick([3000, 60_000, 7_200_000]));
      trace.note('sender', `its clock is set by ${ms} ms`);
      wasSetBack ||= ms < 0;
      senderClock.step(ms);
    },
    restart: () => {
      trace.note('sender', 'is started again');
      sender.restart();
    },
    pause: () => {
      pausedUntil = clock.monotonic() + dice.between(500, 30_000);
    },
    expire: () => hub.expire(dice.between(0, 5000)),
    jump: () => {
      // For a moment its clock is far ahead.
      const ms = dice.between(10_000, 7_200_000);
      trace.note('sender', `its clock is ${ms} ms ahead for a while`);
      wasSetBack = true;
      senderClock.step(ms);
      clock.setTimer(dice.between(500, 6000), () => senderClock.step(-ms));
    },
  };
  return {
    kind: describe(plan),
    settings: moduleInputSourceSchema.parse(configureSender(plan)),
    makeSource(config, sourceParts) {
      const inputs = createInputs({ clock, log: silentLog, metrics: parts.metrics });
      hub.disconnect();
      hub.take = inputs.receive;
      return createModuleInputSource(config as ModuleInputConfig, {
        clock,
        metrics: parts.metrics,
        inputs,
        ...sourceParts,
      });
    },
    judge: new RecordJudge({
      records: sender.records,
      rules: senderRules(sender, plan, senderClock),
      now: () => clock.monotonic(),
      onFault: parts.onFault,
    }),
    get exchanges() {
      return hub.exchanges;
    },
    behave(hostile) {
      isHostile = hub.isHostile = hostile;
      if (!hostile) pausedUntil = 0;
    },
    act: () => acts[dice.weighted({ clock: 2, restart: 1, pause: 2, expire: 2, jump: 1 })](),
    recoveryMs: 120_000,
    get isAnswerable() {
      return !wasSetBack;
    },
  };
}

function describe(plan: SenderPlan): string {
  const words = [
    `sender of ${plan.form}`,
    plan.isNumbered ? `numbered in its ${plan.numberIn}` : 'not numbered',
    plan.isStamped ? `stamps of ${plan.stampStepMs} ms` : 'no stamps',
    plan.hasIds ? 'ids' : 'no ids',
    plan.isSplit ? 'a message a tag' : `${plan.samplesEach} samples a message`,
    `every ${plan.periodMs} ms, silence ${plan.silenceMs} ms, lateness ${plan.latenessMs} ms`,
  ];
  return words.join(', ');
}
