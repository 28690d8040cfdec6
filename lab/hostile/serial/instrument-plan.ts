// How one instrument is built, by the dice, and the configuration that a site would write for it.
import type { Dice } from '../dice.ts';

export interface InstrumentPlan {
  readonly order: 'number' | 'time' | 'arrival';
  readonly isNumbered: boolean;
  /** It talks by itself; else it is asked, with one command or two. */
  readonly talks: boolean;
  readonly commands: 1 | 2;
  readonly isChecked: boolean;
  /** The line gives back what is sent. */
  readonly echoes: boolean;
  readonly sampleMs: number;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly stampStepMs: 1 | 1000;
  /** Numbers go from `first` through `span` of them. */
  readonly first: 0 | 1;
  readonly span: number;
  readonly firstCount: number;
  readonly capacity: number;
  readonly memory: {
    /** A dump ends with a mark, or with silence. */
    readonly hasEnd: boolean;
    readonly hasNone: boolean;
    readonly hasBounds: boolean;
    readonly saysCapacity: boolean;
    /** Its records begin with another word than live ones. */
    readonly isDistinct: boolean;
    readonly pageRecords: number;
  } | null;
}

export function planInstrument(dice: Dice): InstrumentPlan {
  const order = dice.pick(['number', 'number', 'time', 'time', 'arrival'] as const);
  const isNumbered = order === 'number' || (order === 'time' && dice.chance(0.5));
  const talks = dice.chance(0.5);
  const everyMs = dice.pick([400, 700]);
  const timeoutMs = dice.pick([150, 300]);
  // Where nothing counts the records, each has to be asked for in time.
  const sampleMs = talks || isNumbered ? dice.pick([500, 900, 1500]) : 4000 + 10 * everyMs;
  const span = dice.pick([10_000, 2 ** 32]);
  const first = dice.pick([0, 1] as const);
  return {
    order,
    isNumbered,
    talks,
    commands: !talks && dice.chance(0.4) ? 2 : 1,
    isChecked: dice.chance(0.6),
    echoes: !talks && dice.chance(0.2),
    sampleMs,
    everyMs,
    timeoutMs,
    stampStepMs: isNumbered && dice.chance(0.3) ? 1000 : 1,
    first,
    span,
    firstCount: span === 10_000 ? 9700 : 5000,
    capacity: dice.pick([30, 80, 400]),
    memory:
      order === 'arrival' || dice.chance(0.2)
        ? null
        : {
            hasEnd: dice.chance(0.7),
            hasNone: dice.chance(0.5),
            hasBounds: dice.chance(0.6),
            saysCapacity: dice.chance(0.5),
            isDistinct: dice.chance(0.5),
            pageRecords: dice.pick([10, 40]),
          },
  };
}

const stampFields = '(?<number>\\d+),(?<timestamp>\\d+)';
const value = '[0-9.]+';

export function configureInstrument(plan: InstrumentPlan): object {
  const { order, talks, commands, isChecked, everyMs, timeoutMs, echoes, sampleMs } = plan;
  const tail = '$';
  const head = order === 'arrival' ? '' : `,${stampFields}`;
  const both = (word: string) => `^\\$${word}${head},(?<a>${value}),(?<b>${value})${tail}`;
  const pattern =
    commands === 1 ? both('D') : [`^\\$A${head},(?<a>${value})${tail}`, `^\\$B${head},(?<b>${value})${tail}`];
  const command = commands === 1 ? 'R?\\r\\n' : ['A?\\r\\n', 'B?\\r\\n'];
  const words = commands === 1 ? {} : { a: { startsWith: '$A' }, b: { startsWith: '$B' } };
  return {
    type: 'serial',
    name: 'hostile',
    path: '/dev/peer',
    ...(isChecked ? { checksum: { kind: 'nmea' } } : {}),
    fields: { pattern },
    ...stampOf(plan),
    tags: [
      { name: 'a', ...('a' in words ? words.a : {}) },
      { name: 'b', ...('b' in words ? words.b : {}) },
    ],
    refusals: ['$BUSY'],
    ...(talks
      ? { expectEveryMs: 3 * sampleMs + 2000 }
      : { poll: { command, everyMs, timeoutMs, echo: echoes } }),
    ...(plan.memory ? { history: historyOf(plan, plan.memory, both) } : {}),
  };
}

function stampOf(plan: InstrumentPlan): object {
  const { order, isNumbered, first, span, stampStepMs } = plan;
  if (order === 'arrival') return {};
  const timestamp = { format: stampStepMs === 1 ? 'unix-ms' : 'unix-s' };
  const number = { first, last: first + span - 1 };
  return {
    stamp: { timestamp, ...(isNumbered ? { number } : {}), index: order },
  };
}

function historyOf(
  plan: InstrumentPlan,
  memory: NonNullable<InstrumentPlan['memory']>,
  both: (word: string) => string,
): object {
  const word = memory.isDistinct || plan.commands === 2 ? 'R' : 'D';
  return {
    command: 'D {from} {to}\\r\\n',
    ...(memory.hasEnd ? { end: '$END' } : { endSilenceMs: 300 }),
    ...(memory.hasNone ? { none: '$NONE' } : {}),
    ...(memory.hasBounds
      ? { bounds: { command: 'M?\\r\\n', pattern: '^\\$M,(?<oldest>\\d+),(?<newest>\\d+)$', timeoutMs: 500 } }
      : {}),
    ...(memory.saysCapacity ? { capacity: plan.capacity } : {}),
    ...(word === 'R'
      ? { startsWith: '$R', fields: { pattern: both('R') }, tags: [{ name: 'a' }, { name: 'b' }] }
      : {}),
    pageRecords: memory.pageRecords,
    pageMs: memory.pageRecords * 1000,
    timeoutMs: 1000,
    limitMs: 20_000,
    overlapMs: 10_000,
  };
}
