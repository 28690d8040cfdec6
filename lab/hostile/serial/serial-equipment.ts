// An instrument on a line, read by the serial adapter.
import { type SerialSourceConfig, serialSourceSchema } from '../../../runtime/sources/serial/config.ts';
import { createSerialSource } from '../../../runtime/sources/serial/serial-source.ts';
import type { Equipment, EquipmentParts } from '../equipment.ts';
import { EquipmentClock } from '../equipment-clock.ts';
import type { Judge } from '../judge/judge.ts';
import { numberedPlaces } from '../judge/numbered-places.ts';
import { RecordJudge } from '../judge/record-judge.ts';
import type { RecordRules } from '../judge/records.ts';
import { ShownJudge } from '../judge/shown-judge.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import { Instrument, type Kept } from './instrument.ts';
import { configureInstrument, type InstrumentPlan, planInstrument } from './instrument-plan.ts';
import { SerialWire } from './serial-wire.ts';

/** The module may be so far from our wall clock: what it slews, and a message's way through it. */
const arrivalSlackMs = 2500;
/** Behind a clock of ours that was set back by more, what stands ahead of it is not answered within `recoveryMs`. */
const mostBehindMs = 60_000;

export function serialEquipment(parts: EquipmentParts): Equipment {
  const { clock, dice, trace, heard } = parts;
  const plan = planInstrument(dice);
  parts.site.comesRound = plan.order === 'number' && plan.span < 2 ** 32;
  const began = clock.now() - clock.monotonic();
  const offset = began + dice.between(-5000, 5000);
  const deviceClock = new EquipmentClock(() => clock.monotonic(), offset);
  /** Our wall clock whenever a record arrived. */
  const arrivals = new Map<Kept, number[]>();
  /** True time at which a record arrived last. */
  const arrivedAt = new Map<Kept, number>();
  const wire = new SerialWire({
    plan,
    clock,
    dice: dice.fork(),
    trace,
    heard,
    instrument: () => instrument,
    onAsked: () => {
      for (const tag of ['a', 'b']) shown?.ask(tag);
    },
    onArrives(record, command) {
      arrivedAt.set(record, clock.monotonic());
      arrivals.set(record, [...(arrivals.get(record) ?? []), clock.now()]);
      for (const [tag, { value }] of record.values) {
        if (command === undefined || command === 'R?' || command[0] === tag.toUpperCase())
          shown?.hear(tag, value, true);
      }
    },
  });
  const instrument = new Instrument({
    plan,
    clock,
    deviceClock,
    dice: dice.fork(),
    trace,
    onRecord(said) {
      if (plan.talks) wire.talk(said);
      for (const [tag, { value }] of said.record!.values) shown?.change(tag, value);
    },
  });
  const shown = plan.order === 'arrival' && !plan.talks ? shownJudge(plan, parts) : undefined;
  const rules = rulesOf(plan, instrument, deviceClock, arrivals, arrivedAt);
  const judge: Judge =
    shown ??
    new RecordJudge({
      records: instrument.records,
      rules,
      now: () => clock.monotonic(),
      onFault: parts.onFault,
    });
  const mishaps = new Mishaps(plan, instrument, deviceClock, wire, parts);
  return {
    kind: describe(plan),
    settings: serialSourceSchema.parse(configureInstrument(plan)),
    makeSource: (config, sourceParts) =>
      createSerialSource(config as SerialSourceConfig, {
        clock,
        metrics: parts.metrics,
        openStream: async () => {
          const stream = wire.open();
          return parts.plant.stream?.(stream) ?? stream;
        },
        ...sourceParts,
      }),
    judge,
    get exchanges() {
      return wire.exchanges;
    },
    behave(isHostile) {
      wire.behave(isHostile);
      if (!isHostile) instrument.isOn = wire.isReachable = true;
    },
    act: () => mishaps[dice.weighted({ clock: 2, clear: 1, power: 1, unplug: 2, cut: 1 })](),
    recoveryMs: 240_000,
    get isAnswerable() {
      const behindMs = began - (clock.now() - clock.monotonic());
      return !mishaps.isAmbiguous && (plan.order !== 'time' || behindMs < mostBehindMs);
    },
  };
}

/** What happens to the instrument and its line. */
class Mishaps {
  readonly #plan: InstrumentPlan;
  readonly #instrument: Instrument;
  readonly #deviceClock: EquipmentClock;
  readonly #wire: SerialWire;
  readonly #parts: EquipmentParts;
  #clearedAt = Number.NEGATIVE_INFINITY;
  /** What it tells of its past may be read in more than one way. */
  isAmbiguous: boolean;

  constructor(
    plan: InstrumentPlan,
    instrument: Instrument,
    deviceClock: EquipmentClock,
    wire: SerialWire,
    parts: EquipmentParts,
  ) {
    this.#plan = plan;
    this.#instrument = instrument;
    this.#deviceClock = deviceClock;
    this.#wire = wire;
    this.#parts = parts;
    this.isAmbiguous = !plan.memory?.hasEnd || !plan.memory.hasBounds;
  }

  clock(): void {
    const { dice, trace } = this.#parts;
    const least = this.#plan.isNumbered || this.#plan.talks ? 1000 : 90_000;
    const ms = dice.pick([-1, 1]) * (least + dice.between(0, dice.pick([3000, 60_000, 7_200_000])));
    trace.note('unit', `its clock is set by ${ms} ms`);
    this.isAmbiguous ||= this.#plan.order === 'time';
    this.#deviceClock.step(ms);
  }

  clear(): void {
    const { clock, site } = this.#parts;
    const { span, order } = this.#plan;
    // Soon after, the numbers could by chance go on where they were: nobody could tell.
    // Shortly before or behind its end, a counter that starts anew looks as if it went on.
    const shown = this.#instrument.age % span;
    if (shown < 300 || shown > span / 2) return;
    if (clock.monotonic() - this.#clearedAt < 200_000) return;
    if (order === 'number' && site.isRolledBack) return;
    site.ownsPositions ||= order === 'number';
    this.#clearedAt = clock.monotonic();
    this.isAmbiguous = true;
    this.#instrument.clear();
  }

  power(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('unit', 'loses its power');
    this.#instrument.isOn = false;
    clock.setTimer(dice.between(2000, 30_000), () => {
      this.#instrument.isOn = true;
    });
  }

  unplug(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('line', 'is unplugged');
    this.#wire.isReachable = false;
    this.#wire.cut();
    clock.setTimer(dice.between(1000, 20_000), () => {
      this.#wire.isReachable = true;
    });
  }

  cut(): void {
    this.#wire.cut();
  }
}

function shownJudge({ everyMs, timeoutMs, commands }: InstrumentPlan, parts: EquipmentParts): ShownJudge {
  return new ShownJudge({
    tags: ['a', 'b'].map((name) => ({ name, pollMs: everyMs })),
    now: () => parts.clock.monotonic(),
    pollLimitMs: (commands + 2) * timeoutMs * 2,
    believedMs: 0,
    onFault: parts.onFault,
  });
}

function rulesOf(
  plan: InstrumentPlan,
  instrument: Instrument,
  deviceClock: EquipmentClock,
  arrivals: ReadonlyMap<Kept, readonly number[]>,
  arrivedAt: ReadonlyMap<Kept, number>,
): RecordRules<Kept> {
  const isHeld = (record: Kept) => plan.memory !== null && instrument.isHeld(record);
  if (plan.order === 'number')
    return { ...numberedPlaces(instrument.records, plan.span), hadCome: () => false, isHeld };
  if (plan.order === 'time') {
    // One that was overwritten may share the time of those that were not.
    const isUnreadable = (record: Kept) => !isHeld(record);
    return {
      ...stampedPlaces<Kept>(deviceClock, plan.stampStepMs),
      isHeld,
      isUnreadable,
      ...undoneBy(instrument, arrivedAt),
    };
  }
  return {
    placeOf: () => undefined,
    misplaced(record, index) {
      const times = arrivals.get(record) ?? [];
      const isNear = times.some((at) => Math.abs(at - index) <= arrivalSlackMs);
      return isNear ? undefined : `it arrived at ${times.join(', ') || 'no time'}`;
    },
    hadCome: () => false,
    isHeld,
  };
}

/**
 * A record that was made, and passed again by a clock that was set back, while a disk lived that was put back to before: of what
 * did not arrive since, nobody knows any more.
 */
function undoneBy(
  { records }: Instrument,
  arrivedAt: ReadonlyMap<Kept, number>,
): Pick<RecordRules<Kept>, 'rollBack' | 'isForgotten'> {
  const undone: { readonly from: number; readonly to: number }[] = [];
  return {
    rollBack: (from, to) => void undone.push({ from, to }),
    isForgotten: (record) => {
      const span = undone.find(({ from, to }) => record.at > from && record.at <= to);
      if (span === undefined || (arrivedAt.get(record) ?? 0) > span.to) return false;
      const { all } = records;
      return all.some(({ id, at, stamp }) => id > record.id && at <= span.to && stamp <= record.stamp);
    },
  };
}

function describe(plan: InstrumentPlan): string {
  const { memory } = plan;
  const words = [
    `instrument by ${plan.order}`,
    plan.isNumbered ? `numbers ${plan.first} to ${plan.first + plan.span - 1}` : 'no numbers',
    plan.talks
      ? 'talks'
      : `asked with ${plan.commands} commands every ${plan.everyMs} ms, within ${plan.timeoutMs}`,
    plan.isChecked ? 'check sums' : 'no check sums',
    ...(plan.echoes ? ['echo'] : []),
    `a record in ${plan.sampleMs} ms, stamps of ${plan.stampStepMs} ms`,
    memory === null
      ? 'no memory'
      : `memory of ${plan.capacity}, ${memory.hasEnd ? 'end mark' : 'no end mark'}, ${memory.hasBounds ? 'bounds' : 'no bounds'}, ${memory.isDistinct ? 'records of their own' : 'records like live ones'}`,
  ];
  return words.join(', ');
}
