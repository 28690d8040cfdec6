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
import { Undone } from '../judge/undone.ts';
import { Unheard } from '../judge/unheard.ts';
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
  const dumped = new Set<Kept>();
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
    onDumped: (record) => dumped.add(record),
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
  const unheard = unheardOf(instrument, parts);
  const rules = rulesOf({ plan, instrument, deviceClock, arrivals, arrivedAt, dumped, unheard });
  const judge: Judge = shown ?? recordJudge({ rules, instrument, unheard, began, deviceClock, parts });
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

function recordJudge(of: {
  readonly rules: RecordRules<Kept>;
  readonly instrument: Instrument;
  readonly unheard: Unheard<Kept>;
  /** When virtual time began, by the module's wall clock. */
  readonly began: number;
  readonly deviceClock: EquipmentClock;
  readonly parts: EquipmentParts;
}): Judge {
  const { clock, onFault } = of.parts;
  return new RecordJudge({
    records: of.instrument.records,
    rules: of.rules,
    now: () => clock.monotonic(),
    // Where that was set back, also as it was; and the instrument's, as it was before it leapt.
    wall: () => Math.max(clock.now(), of.began + clock.monotonic(), of.deviceClock.leastNow()),
    watch: (event, isTaken) => of.unheard.watch(event, isTaken),
    onFault,
  });
}

function unheardOf({ records }: Instrument, { clock, site }: EquipmentParts): Unheard<Kept> {
  return new Unheard({
    records,
    idTag: 'a',
    isAgeUnknown: () => site.isAgeUnknown,
    now: () => clock.monotonic(),
  });
}

interface InstrumentRulesOptions {
  readonly plan: InstrumentPlan;
  readonly instrument: Instrument;
  readonly deviceClock: EquipmentClock;
  readonly arrivals: ReadonlyMap<Kept, readonly number[]>;
  readonly arrivedAt: ReadonlyMap<Kept, number>;
  readonly dumped: ReadonlySet<Kept>;
  readonly unheard: Unheard<Kept>;
}

function rulesOf({
  plan,
  instrument,
  deviceClock,
  arrivals,
  arrivedAt,
  dumped,
  unheard,
}: InstrumentRulesOptions): RecordRules<Kept> {
  const isHeld = (record: Kept) => plan.memory !== null && instrument.isHeld(record);
  if (plan.order === 'number')
    return { ...numberedPlaces(instrument.records, plan.span), hadCome: () => false, isHeld };
  if (plan.order === 'time') {
    // One that was overwritten may share the time of those that were not.
    const isUnreadable = (record: Kept) => !isHeld(record);
    const undone = new Undone<Kept>(instrument.records, ({ stamp }) => stamp);
    const isUndone = (record: Kept) => (undone.until(record) ?? -1) >= (arrivedAt.get(record) ?? 0);
    return {
      ...stampedPlaces<Kept>(deviceClock, plan.stampStepMs),
      isHeld,
      isUnreadable,
      isHidden: (record) => unheard.has(record),
      // Of those that a dump has brought, the memory tells.
      isForgotten: (record) => isUndone(record) || (unheard.has(record) && !dumped.has(record)),
      rollBack: (from, to) => {
        undone.rollBack(from, to);
        unheard.rollBack(from);
      },
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
