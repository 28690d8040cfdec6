// A recorder at the end of a line, read by the Modbus adapter.

import type { Duplex } from 'node:stream';
import {
  type ModbusSourceConfig,
  modbusRtuSourceSchema,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from '../../../runtime/sources/modbus/config.ts';
import { createModbusLinks } from '../../../runtime/sources/modbus/link.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { Equipment, EquipmentParts } from '../equipment.ts';
import { EquipmentClock } from '../equipment-clock.ts';
import { RecordJudge } from '../judge/record-judge.ts';
import { Unheard } from '../judge/unheard.ts';
import { ModbusLine, type Unit } from './line.ts';
import { Recorder } from './recorder.ts';
import { configureRecorder, planRecorder, type RecorderPlan } from './recorder-plan.ts';
import { recorderRules } from './recorder-rules.ts';
import { RefusalLog } from './refusal-log.ts';
import type { RegisterRequest } from './registers.ts';
import { mbap, rtu } from './wire-format.ts';

export const transports = ['modbus-tcp', 'modbus-rtu-tcp', 'modbus-rtu'] as const;
export type Transport = (typeof transports)[number];

export function configOf(transport: Transport, settings: object): ModbusSourceConfig {
  if (transport === 'modbus-tcp')
    return modbusTcpSourceSchema.parse({ ...settings, type: transport, host: 'peer' });
  if (transport === 'modbus-rtu-tcp')
    return modbusRtuTcpSourceSchema.parse({ ...settings, type: transport, host: 'peer', port: 4001 });
  return modbusRtuSourceSchema.parse({ ...settings, type: transport, path: '/dev/peer' });
}

/** The line of a transport, with the unit at its end, and how the adapter finds it. */
export function lineTo(
  transport: Transport,
  unit: Unit,
  timeoutMs: number,
  parts: EquipmentParts,
): ModbusLine {
  const { clock, dice, trace, heard } = parts;
  const isTcp = transport === 'modbus-tcp';
  return new ModbusLine({
    clock,
    dice: dice.fork(),
    trace,
    heard,
    format: isTcp ? mbap : rtu,
    isBus: !isTcp,
    unitNumber: 7,
    timeoutMs,
    unit,
  });
}

export function planted(stream: Duplex, { plant }: EquipmentParts): Duplex {
  return plant.stream?.(stream) ?? stream;
}

export function recorderEquipment(transport: Transport, parts: EquipmentParts): Equipment {
  const { clock, dice, trace, site } = parts;
  const plan = planRecorder(dice);
  const began = clock.now() - clock.monotonic();
  site.comesRound = plan.index === 'sequence' && plan.modulus < 2 ** 32;
  const deviceClock = new EquipmentClock(
    () => clock.monotonic(),
    clock.now() - clock.monotonic() + dice.between(-5000, 5000),
  );
  const recorder = new Recorder({ plan, clock, deviceClock, dice: dice.fork(), trace });
  const refusals = new RefusalLog(placesOf(plan), () => clock.monotonic());
  const unit: Unit = {
    answer: (request) => recorder.answer(request),
    onRefused: (request) => refusals.note(request),
    ...looksInto(recorder, plan),
  };
  const line = lineTo(transport, unit, plan.timeoutMs, parts);
  const { records } = recorder;
  const unheard = new Unheard({
    records,
    idTag: 'id',
    isAgeUnknown: () => site.isAgeUnknown,
    now: () => clock.monotonic(),
  });
  const rules = recorderRules({ recorder, plan, deviceClock, refusals, unheard });
  const settings = configOf(transport, configureRecorder(plan));
  const links = createModbusLinks({ clock, openStream: async () => planted(line.open(), parts) });
  const mishaps = new Mishaps(plan, recorder, deviceClock, line, parts);
  return {
    kind: `${transport}: ${describe(plan)}`,
    settings,
    makeSource: (config, sourceParts) =>
      createModbusSource(config as ModbusSourceConfig, {
        clock,
        metrics: parts.metrics,
        links,
        ...sourceParts,
      }),
    judge: new RecordJudge({
      records,
      rules,
      now: () => clock.monotonic(),
      // Where that was set back, also as it was; and the equipment's, as it was before it leapt.
      wall: () => Math.max(clock.now(), began + clock.monotonic(), deviceClock.leastNow()),
      watch: (event, isTaken) => unheard.watch(event, isTaken),
      onFault: parts.onFault,
    }),
    get exchanges() {
      return line.exchanges;
    },
    behave(isHostile) {
      line.behave(isHostile);
      if (!isHostile) mishaps.end();
    },
    act: () => mishaps[dice.weighted({ clock: 3, clear: 1, power: 1, unreachable: 2, cut: 1 })](),
    // That times may have come twice is kept over a restart in steps of ten minutes.
    recoveryMs: plan.index === 'time' ? 900_000 : 240_000,
    get isAnswerable() {
      return mishaps.isAnswerable;
    },
  };
}

/**
 * Which requests look into the log: those that follow a look at its pointers, with nothing that went wrong in between. Others read
 * of it to prove the line in step, and take nothing from it.
 */
function looksInto(recorder: Recorder, plan: RecorderPlan): Pick<Unit, 'onAsked' | 'onHeard'> {
  let asked: RegisterRequest | undefined;
  let heard: RegisterRequest | undefined;
  let isReading = false;
  return {
    onAsked: (request) => {
      isReading &&= asked === heard;
      asked = request;
    },
    onHeard: (request) => {
      heard = request;
      const isOfRecords = request.kind === 'file' || request.address >= plan.base;
      if (request.kind === 'registers' && request.address === plan.pointers) isReading = true;
      else if (isReading && isOfRecords) recorder.onLooked(request);
    },
  };
}

/** What happens to the recorder and its line. */
class Mishaps {
  readonly #plan: RecorderPlan;
  readonly #recorder: Recorder;
  readonly #deviceClock: EquipmentClock;
  readonly #line: ModbusLine;
  readonly #parts: EquipmentParts;
  readonly #startedAt: number;
  #clockSteps = 0;
  #isAmbiguous = false;
  #clearedAt: number;

  constructor(
    plan: RecorderPlan,
    recorder: Recorder,
    deviceClock: EquipmentClock,
    line: ModbusLine,
    parts: EquipmentParts,
  ) {
    this.#plan = plan;
    this.#recorder = recorder;
    this.#deviceClock = deviceClock;
    this.#line = line;
    this.#parts = parts;
    this.#startedAt = this.#beganBy(parts);
    this.#clearedAt = plan.firstCount;
  }

  /** By a clock of the module's own that is behind, much of what there is lies in the future. */
  get isAnswerable(): boolean {
    const behindMs = this.#startedAt - this.#beganBy(this.#parts);
    // Of what samples faster than it is polled each poll leaves a hole, and its log goes by as fast.
    const { isFast } = this.#plan;
    return this.#clockSteps === 0 && !this.#isAmbiguous && !isFast && behindMs < mostBehindMs;
  }

  clock(): void {
    const { dice, trace } = this.#parts;
    const least = this.#plan.isCounted ? 1000 : 90_000;
    const ms = dice.pick([-1, 1]) * (least + dice.between(0, dice.pick([3000, 60_000, 7_200_000])));
    this.#clockSteps += 1;
    trace.note('unit', `its clock is set by ${ms} ms`);
    this.#deviceClock.step(ms);
  }

  clear(): void {
    const { site } = this.#parts;
    const { modulus, index, firstCount, firstRecord, stampStepMs } = this.#plan;
    const { sampleCount } = this.#recorder;
    // Soon after, the numbers could by chance go on where they were: nobody could tell.
    if (sampleCount - this.#clearedAt < 300 && this.#clearedAt !== firstCount) return;
    // Shortly before or behind its end, a counter that starts anew looks as if it went on.
    const shown = sampleCount % modulus;
    if (shown < 300 || shown > modulus / 2) return;
    if (index === 'sequence' && site.isRolledBack) return;
    site.ownsPositions ||= index === 'sequence';
    this.#recorder.clear();
    this.#clearedAt = firstRecord;
    // What was cleared may share the second with the first record after.
    this.#isAmbiguous ||= index === 'time' && stampStepMs > 1;
  }

  power(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('unit', 'loses its power');
    this.#line.isOn = this.#recorder.isOn = false;
    clock.setTimer(dice.between(2000, 40_000), () => this.#switchOn());
  }

  unreachable(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('line', 'is unplugged');
    this.#line.isReachable = false;
    this.#line.cut();
    clock.setTimer(dice.between(1000, 40_000), () => this.#plugIn());
  }

  cut(): void {
    this.#line.cut();
  }

  end(): void {
    this.#switchOn();
    this.#plugIn();
  }

  #switchOn(): void {
    this.#line.isOn = this.#recorder.isOn = true;
  }

  #plugIn(): void {
    this.#line.isReachable = true;
  }

  /** When virtual time began, by the module's wall clock. */
  #beganBy({ clock }: EquipmentParts): number {
    return clock.now() - clock.monotonic();
  }
}

const mostBehindMs = 60_000;

function placesOf({ live, far }: { live: number; far: number }) {
  return new Map([
    ['id', { address: live + 6, registers: 2 }],
    ['level', { address: live + 8, registers: 2 }],
    ['state', { address: live + 10, registers: 1 }],
    ['far', { address: far, registers: 2 }],
  ]);
}

function describe(plan: ReturnType<typeof planRecorder>): string {
  const words = [
    `recorder by ${plan.index === 'time' ? 'time' : 'number'}`,
    plan.isCounted ? `counted to ${plan.modulus}` : 'not counted',
    plan.isTwoBlocks ? 'two blocks' : 'one block',
    `stamps of ${plan.stampStepMs} ms`,
    `a sample in ${plan.sampleMs} ms, a poll in ${plan.pollMs} ms`,
    `${plan.kind} of ${plan.capacity}`,
    plan.hasOldest ? 'with its oldest' : 'without its oldest',
    plan.recordHasNumber ? 'records numbered' : 'records not numbered',
  ];
  return words.join(', ');
}
